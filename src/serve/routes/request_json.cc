#include "serve/routes/request_json.h"

#include <utility>
#include <vector>

namespace bertha::serve {
namespace {

/// The part of a message of nlohmann::json that says what is wrong.
std::string reason_of(std::string_view message) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while …"
  const size_t colon = message.find(": ");
  std::string reason(colon == std::string_view::npos ? message : message.substr(colon + 2));
  // "; last read: '…'" repeats the text of the request.
  const size_t repeated = reason.find("; last read:");
  if (repeated != std::string::npos) reason.erase(repeated);
  return reason;
}

/// Builds the value from the parser's events.
class BoundedReader : public nlohmann::json_sax<Json> {
 public:
  explicit BoundedReader(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return add(Json(nullptr)); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return add(Json(value));
  }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(size_t /*elements*/) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(size_t /*elements*/) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [place, inserted] = open_.back()->emplace(std::move(name), nullptr);
    if (!inserted)
      return refuse(fmt::format("the key \"{}\" is given twice", shown_name(place.key())));
    slot_ = &*place;
    return true;
  }

  bool parse_error(size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    fault_ = fmt::format("byte {}: {}", position, reason_of(error.what()));
    return false;
  }

  const std::string& fault() const { return fault_; }
  Json take() { return std::move(root_); }

 private:
  bool refuse(std::string why) {
    fault_ = std::move(why);
    return false;
  }

  /// Puts a value in its place; `added_` is where it lies.
  bool add(Json value) {
    if (++values_ > limits_.values) {
      return refuse(fmt::format("more than {} values", limits_.values));
    }
    if (open_.empty()) {
      root_ = std::move(value);
      added_ = &root_;
    } else if (open_.back()->is_array()) {
      added_ = &open_.back()->emplace_back(std::move(value));
    } else {
      *slot_ = std::move(value);
      added_ = slot_;
    }
    return true;
  }

  bool open(Json container) {
    if (std::ssize(open_) >= limits_.depth) {
      return refuse(fmt::format("nested deeper than {} levels", limits_.depth));
    }
    if (!add(std::move(container))) return false;
    open_.push_back(added_);  // its place stays: what holds it grows only after it is closed
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  Json root_;
  std::vector<Json*> open_;  ///< containers that are not closed, outermost first
  Json* slot_ = nullptr;     ///< the value of the key that was read last
  Json* added_ = nullptr;
  int64_t values_ = 0;
  std::string fault_;
};

}  // namespace

Json parse_request_json(std::string_view text, const JsonLimits& limits) {
  BoundedReader reader(limits);
  if (!Json::sax_parse(text, &reader)) {
    throw JsonError("the body is not valid JSON: " + reader.fault());
  }
  return reader.take();
}

std::string_view kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return "a number";
    default:
      return "a value";
  }
}

std::string shown_name(std::string_view name) {
  constexpr size_t kMostBytes = 64;
  if (name.size() <= kMostBytes) return std::string(name);
  size_t end = kMostBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return std::string(name.substr(0, end)) + "…";
}

}  // namespace bertha::serve
