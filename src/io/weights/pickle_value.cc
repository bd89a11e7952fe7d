#include <algorithm>

#include "core/error.h"
#include "io/weights/pickle.h"

namespace bertha::io {

using Kind = PickleValue::Kind;

std::string PickleValue::description() const {
  switch (kind_) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return flag_ ? "True" : "False";
    case Kind::kInteger:
      return fmt::format("the integer {}", integer_);
    case Kind::kBigInteger:
      return "a big integer";
    case Kind::kReal:
      return fmt::format("the number {}", real_);
    case Kind::kString:
      return "a string";
    case Kind::kBytes:
      return "bytes";
    case Kind::kList:
      return "a list";
    case Kind::kTuple:
      return "a tuple";
    case Kind::kDict:
      return "a dict";
    case Kind::kGlobal:
      return fmt::format("the global {}", text_);
    case Kind::kObject:
      return fmt::format("an object of {}", text_);
    case Kind::kPersistent:
      return "a storage";
  }
  return "an unknown value";
}

bool PickleValue::boolean(std::string_view what) const {
  if (kind_ != Kind::kBool) fail("{}: expected True or False, found {}", what, description());
  return flag_;
}

int64_t PickleValue::integer(std::string_view what) const {
  if (kind_ != Kind::kInteger) fail("{}: expected an integer, found {}", what, description());
  return integer_;
}

double PickleValue::real(std::string_view what) const {
  if (kind_ == Kind::kInteger) return static_cast<double>(integer_);
  if (kind_ != Kind::kReal) fail("{}: expected a number, found {}", what, description());
  return real_;
}

std::string_view PickleValue::string(std::string_view what) const {
  if (kind_ != Kind::kString) fail("{}: expected a string, found {}", what, description());
  return text_;
}

std::span<const PickleValue* const> PickleValue::items() const {
  const bool container = kind_ == Kind::kList || kind_ == Kind::kTuple || kind_ == Kind::kDict;
  return container ? std::span(items_) : std::span<const PickleValue* const>();
}

const PickleValue* PickleValue::find(std::string_view key) const {
  if (kind_ != Kind::kDict) return nullptr;
  for (size_t i = items_.size(); i >= 2; i -= 2) {
    const PickleValue& candidate = *items_[i - 2];
    if (candidate.kind_ == Kind::kString && candidate.text_ == key) return items_[i - 1];
  }
  return nullptr;
}

const PickleValue* PickleValue::find(int64_t key) const {
  if (kind_ != Kind::kDict) return nullptr;
  for (size_t i = items_.size(); i >= 2; i -= 2) {
    const PickleValue& candidate = *items_[i - 2];
    if (candidate.kind_ == Kind::kInteger && candidate.integer_ == key) return items_[i - 1];
  }
  return nullptr;
}

const PickleValue& PickleValue::at(std::string_view key, std::string_view what) const {
  if (kind_ != Kind::kDict) fail("{}: expected a dict, found {}", what, description());
  const PickleValue* value = find(key);
  if (value == nullptr) fail("{}: the key \"{}\" is missing", what, key);
  return *value;
}

const PickleValue* PickleValue::arguments() const {
  const bool has = kind_ == Kind::kObject || kind_ == Kind::kPersistent;
  return has && !items_.empty() ? items_[0] : nullptr;
}

const PickleValue* PickleValue::state() const {
  return kind_ == Kind::kObject && items_.size() > 1 ? items_[1] : nullptr;
}

void PickleValue::append(const PickleValue& item) {
  BERTHA_CHECK(kind_ == Kind::kList || kind_ == Kind::kTuple, "appends to {}", description());
  items_.push_back(&item);
}

void PickleValue::set(const PickleValue& key, const PickleValue& value) {
  BERTHA_CHECK(kind_ == Kind::kDict, "sets a key of {}", description());
  items_.push_back(&key);
  items_.push_back(&value);
}

PickleValue& PickleTree::make(Kind kind) {
  PickleValue& value = values_.emplace_back();
  value.kind_ = kind;
  return value;
}

std::string_view PickleTree::keep(std::string_view text) {
  return texts_.emplace_back(text);
}

PickleValue& PickleTree::boolean(bool value) {
  PickleValue& made = make(Kind::kBool);
  made.flag_ = value;
  return made;
}

PickleValue& PickleTree::integer(int64_t value) {
  PickleValue& made = make(Kind::kInteger);
  made.integer_ = value;
  return made;
}

PickleValue& PickleTree::real(double value) {
  PickleValue& made = make(Kind::kReal);
  made.real_ = value;
  return made;
}

PickleValue& PickleTree::string(std::string_view text) {
  PickleValue& made = make(Kind::kString);
  made.text_ = keep(text);
  return made;
}

PickleValue& PickleTree::ordered_dict() {
  PickleValue& made = dict();
  made.flag_ = true;
  return made;
}

PickleValue& PickleTree::global(std::string_view name) {
  PickleValue& made = make(Kind::kGlobal);
  made.text_ = keep(name);
  return made;
}

PickleValue& PickleTree::object(std::string_view name, const PickleValue& arguments) {
  PickleValue& made = make(Kind::kObject);
  made.text_ = keep(name);
  made.items_.push_back(&arguments);
  return made;
}

PickleValue& PickleTree::persistent(const PickleValue& id) {
  PickleValue& made = make(Kind::kPersistent);
  made.items_.push_back(&id);
  return made;
}

}  // namespace bertha::io
