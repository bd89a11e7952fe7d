#pragma once

// Types of fields that several routes share: one text or many, texts or token ids.

#include <string>
#include <vector>

#include "serve/inference_service.h"
#include "serve/routes/field_table.h"

namespace bertha::serve {

/// A text or an array of texts.
struct Texts {
  std::vector<std::string> items{};
  bool single = false;  ///< it was not an array
};

/// A text, the ids of a text, or an array of these.
struct TokenTexts {
  std::vector<TextInput> items{};
  bool single = false;
};

/// The ids of a text, or of many.
struct IdLists {
  std::vector<std::vector<int32_t>> items{};
};

/// `s`, `[s]` and `[s,s]` are one text or one pair of texts; an array of arrays is a batch.
struct TextsOrPairs {
  std::vector<ClassifyInput> items{};
  bool single = true;
};

/// A text or an object {"text", "text_pair"}, or an array of these.
struct PairTexts {
  std::vector<ClassifyInput> items{};
};

/// Documents to rank: texts, or objects with a member `text`.
struct Document {
  std::string text;
};

template <>
struct JsonType<Texts> {
  static Texts read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<TokenTexts> {
  static TokenTexts read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<IdLists> {
  static IdLists read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<TextsOrPairs> {
  static TextsOrPairs read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<PairTexts> {
  static PairTexts read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

/// An id of a token, from 0 to 2^31 - 1.
template <>
struct JsonType<int32_t> {
  static int32_t read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

template <>
struct JsonType<Document> {
  static Document read(Json& value, const FieldPlace& place);
  static Json schema(const FieldBounds& bounds);
};

/// What the routes of text-embeddings-inference say about texts that are too long.
struct TruncationFields {
  std::optional<bool> truncate{};
  std::string direction = "right";
  Truncation truncation() const;
};

/// Adds the fields of TruncationFields, from which T is derived.
template <typename T>
FieldTable<T>& add_truncation(FieldTable<T>& table) {
  return table
      .optional("truncate", static_cast<std::optional<bool> T::*>(&T::truncate),
                "Whether a text that is too long is cut; default: true")
      .optional("truncation_direction", static_cast<std::string T::*>(&T::direction),
                "Which end is cut")
      .one_of({"Left", "left", "Right", "right"});
}

}  // namespace bertha::serve
