#include <bit>
#include <limits>
#include <variant>
#include <vector>

#include "core/error.h"
#include "io/byte_order.h"
#include "io/weights/pickle.h"

namespace bertha::io {
namespace {

using Kind = PickleValue::Kind;

/// Writes values from an explicit stack of pending work, so that nesting uses heap memory, not the
/// call stack.
class Writer {
 public:
  std::string run(const PickleValue& root) {
    out_ = "\x80\x02";
    pending_.push_back(&root);
    while (!pending_.empty()) {
      const Step step = pending_.back();
      pending_.pop_back();
      if (const auto* value = std::get_if<const PickleValue*>(&step)) {
        write(**value);
      } else {
        out_ += std::get<std::string_view>(step);
      }
    }
    out_ += '.';
    return std::move(out_);
  }

 private:
  /// A value, or opcodes to copy unchanged.
  using Step = std::variant<const PickleValue*, std::string_view>;

  void write(const PickleValue& value) {
    if (++written_ > kMaxPickleOpcodes) fail("a value is too large to pickle, or contains itself");
    switch (value.kind()) {
      case Kind::kNone:
        out_ += 'N';
        return;
      case Kind::kBool:
        out_ += value.boolean("") ? '\x88' : '\x89';
        return;
      case Kind::kInteger:
        return write_integer(value.integer(""));
      case Kind::kReal:
        return write_real(value.real(""));
      case Kind::kString:
        return write_string(value.text());
      case Kind::kList:
        return write_items(value, "]", "(", "e");
      case Kind::kTuple:
        return write_items(value, "", "(", "t");
      case Kind::kDict:
        return write_items(value, value.ordered() ? "ccollections\nOrderedDict\n)R" : "}", "(",
                           "u");
      case Kind::kGlobal:
        return write_global(value.text());
      case Kind::kObject:
        if (value.state() != nullptr) break;
        write_global(value.text());
        pending_.emplace_back("R");
        pending_.emplace_back(value.arguments());
        return;
      case Kind::kPersistent:
        pending_.emplace_back("Q");
        pending_.emplace_back(value.arguments());
        return;
      case Kind::kBigInteger:
      case Kind::kBytes:
        break;
    }
    fail("cannot pickle {}", value.description());
  }

  void write_integer(int64_t value) {
    if (value >= 0 && value < 256) {
      out_ += 'K';
      out_ += static_cast<char>(value);
    } else if (value >= std::numeric_limits<int32_t>::min() &&
               value <= std::numeric_limits<int32_t>::max()) {
      out_ += 'J';
      store(out_, static_cast<int32_t>(value));
    } else {
      out_ += "\x8a\x08";
      store(out_, value);
    }
  }

  void write_real(double value) {  // the only big-endian number in the format
    out_ += 'G';
    store(out_, static_cast<int64_t>(__builtin_bswap64(std::bit_cast<uint64_t>(value))));
  }

  void write_string(std::string_view text) {
    if (text.size() > std::numeric_limits<uint32_t>::max()) fail("a string is too long to pickle");
    out_ += 'X';
    store(out_, static_cast<uint32_t>(text.size()));
    out_ += text;
  }

  void write_global(std::string_view name) {
    const size_t dot = name.rfind('.');
    BERTHA_CHECK(dot != name.npos && name.find('\n') == name.npos, "global {}", name);
    out_ += 'c';
    out_ += name.substr(0, dot);
    out_ += '\n';
    out_ += name.substr(dot + 1);
    out_ += '\n';
  }

  void write_items(const PickleValue& value, std::string_view make, std::string_view mark,
                   std::string_view collect) {
    out_ += make;
    const auto items = value.items();
    if (items.empty() && !make.empty()) return;
    out_ += mark;
    pending_.emplace_back(collect);
    for (size_t i = items.size(); i-- > 0;) pending_.emplace_back(items[i]);
  }

  std::string out_;
  std::vector<Step> pending_;
  int64_t written_ = 0;
};

}  // namespace

std::string write_pickle(const PickleValue& value) {
  return Writer().run(value);
}

}  // namespace bertha::io
