#pragma once

// Places in a text in the unit that a client asks for. The program itself counts code points.

#include <cstdint>
#include <string_view>

#include "serve/inference_service.h"

namespace bertha::serve {

/// Converts places of one text. Ascending places cost one walk over the text in all.
class TextPlaces {
 public:
  /// The text must outlive the object.
  TextPlaces(std::string_view text, OffsetUnit unit) : text_(text), unit_(unit) {}

  /// The place in the unit of code point `index`, or of the end of the text.
  int64_t place(int64_t index);
  /// The byte of code point `index`, or the size of the text.
  int64_t byte(int64_t index);

 private:
  void walk_to(int64_t index);

  std::string_view text_;
  OffsetUnit unit_;
  int64_t point_ = 0;
  int64_t byte_ = 0;
  int64_t utf16_ = 0;
};

}  // namespace bertha::serve
