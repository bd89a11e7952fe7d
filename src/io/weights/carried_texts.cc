#include "io/weights/carried_texts.h"

namespace bertha::io {
namespace {

std::string text_of(const PickleValue* dict, const char* key) {
  const PickleValue* value = dict == nullptr ? nullptr : dict->find(key);
  const bool is_text = value != nullptr && value->is(PickleValue::Kind::kString);
  return is_text ? std::string(value->text()) : "";
}

}  // namespace

CarriedTexts carried_texts(const PickleValue& root) {
  const PickleValue* entry = root.find(kRunEntry);
  if (entry == nullptr) return {};
  return {.config = text_of(entry->find(kSettingsKey), kConfigSetting),
          .vocabulary = text_of(entry, kVocabularyKey)};
}

}  // namespace bertha::io
