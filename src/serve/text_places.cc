#include "serve/text_places.h"

#include "core/utf8.h"

namespace bertha::serve {

void TextPlaces::walk_to(int64_t index) {
  if (index < point_) point_ = byte_ = utf16_ = 0;
  const char* const end = text_.data() + text_.size();
  constexpr char32_t kFirstPair = 0x10000;  // of the code points that take two units of UTF-16
  while (point_ < index && byte_ < std::ssize(text_)) {
    const Decoded decoded = decode_utf8(text_.data() + byte_, end);
    byte_ += decoded.length;
    utf16_ += decoded.code_point >= kFirstPair ? 2 : 1;
    ++point_;
  }
}

int64_t TextPlaces::byte(int64_t index) {
  walk_to(index);
  return byte_;
}

int64_t TextPlaces::place(int64_t index) {
  if (unit_ == OffsetUnit::kCharacters) return index;
  walk_to(index);
  return unit_ == OffsetUnit::kBytes ? byte_ : utf16_;
}

}  // namespace bertha::serve
