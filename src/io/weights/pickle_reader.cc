#include <bit>

#include "core/error.h"
#include "io/byte_order.h"
#include "io/weights/pickle.h"

namespace bertha::io {

using Kind = PickleValue::Kind;

namespace {

/// Limit on the bytes of names and elements of dicts that one pickle may copy.
constexpr size_t kMaxCopied = size_t{1} << 20;
constexpr size_t kMaxNameBytes = 4096;

}  // namespace

/// The pickle machine: a stack, marks on it, and a memo. The number of opcodes bounds all three.
class PickleReader {
 public:
  PickleReader(std::string_view data, PickleTree& tree, std::string_view where)
      : data_(data),
        tree_(tree),
        where_(where),
        limit_(kMaxPickleOpcodes + std::ssize(data) / kPickleBytesPerOpcode) {}

  const PickleValue& run() {
    for (;;) {
      opcode_offset_ = position_;
      if (++opcodes_ > limit_) bad("more than {} opcodes", limit_);
      const auto opcode = static_cast<uint8_t>(take(1)[0]);
      if (opcode == '.') break;
      if (!run_constant(opcode) && !run_text(opcode) && !run_container(opcode) &&
          !run_object(opcode) && !run_memo(opcode)) {
        bad("opcode 0x{:02x} is none that torch.save writes", opcode);
      }
    }
    if (stack_.size() != 1 || !marks_.empty()) bad("ends with {} values", stack_.size());
    return *stack_[0];
  }
  size_t used() const { return position_; }

 private:
  template <typename... Args>
  [[noreturn]] void bad(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}: damaged or hostile pickle, byte {}: {}", where_, opcode_offset_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  std::string_view take(uint64_t size) {
    const uint64_t left = data_.size() - position_;
    if (size > left) bad("needs {} more bytes, {} are left", size, left);
    const std::string_view taken = data_.substr(position_, size);
    position_ += size;
    return taken;
  }
  template <typename T>
  T number() {
    return load<T>(reinterpret_cast<const std::byte*>(take(sizeof(T)).data()));
  }
  std::string_view line() {
    const size_t end = data_.find('\n', position_);
    if (end == data_.npos) bad("a name without an end");
    if (end - position_ > kMaxNameBytes) bad("a name of {} bytes", end - position_);
    const std::string_view text = take(end - position_);
    take(1);
    return text;
  }

  void push(PickleValue& value) { stack_.push_back(&value); }
  void push_text(Kind kind, std::string_view text) {
    PickleValue& value = tree_.make(kind);
    value.text_ = text;
    push(value);
  }
  PickleValue& top() {
    if (stack_.size() <= floor()) bad("takes a value that is not there");
    return *stack_.back();
  }
  PickleValue& pop() {
    PickleValue& value = top();
    stack_.pop_back();
    return value;
  }
  /// Values below the last mark cannot be reached.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  /// Where the last `count` values begin.
  size_t begin_of_last(size_t count) const {
    if (stack_.size() < count) bad("takes values that are not there");
    return stack_.size() - count;
  }
  size_t pop_mark() {
    if (marks_.empty()) bad("takes a mark that is not there");
    const size_t mark = marks_.back();
    marks_.pop_back();
    return mark;
  }

  /// A few bytes of a pickle may copy large data from elsewhere; this bounds the total.
  void count_copied(size_t amount) {
    copied_ += amount;
    if (copied_ > kMaxCopied) bad("copies more than a checkpoint does");
  }

  void push_long(uint64_t size);
  bool run_constant(uint8_t opcode);
  bool run_text(uint8_t opcode);
  bool run_container(uint8_t opcode);
  bool run_object(uint8_t opcode);
  bool run_memo(uint8_t opcode);
  void collect(Kind kind, size_t begin);
  void extend(size_t begin, bool pairs);
  void make_object(std::string_view extra_opcode);
  void build();
  void put(uint64_t index);
  void get(uint64_t index);

  std::string_view data_;
  PickleTree& tree_;
  std::string_view where_;
  int64_t limit_;
  int64_t opcodes_ = 0;
  size_t position_ = 0;
  size_t opcode_offset_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::vector<PickleValue*> memo_;
  uint64_t memoized_ = 0;
  size_t copied_ = 0;
};

bool PickleReader::run_constant(uint8_t opcode) {
  switch (opcode) {
    case 0x80: {  // PROTO
      const auto protocol = number<uint8_t>();
      if (protocol < 2 || protocol > 5) bad("protocol {}, expected 2 to 5", protocol);
      return true;
    }
    case 0x95: {  // FRAME: a hint for stream readers
      const auto size = number<uint64_t>();
      if (size > data_.size() - position_) bad("a frame of {} bytes goes past the end", size);
      return true;
    }
    case 'N':
      push(tree_.none());
      return true;
    case 0x88:
    case 0x89:
      push(tree_.boolean(opcode == 0x88));
      return true;
    case 'K':
      push(tree_.integer(number<uint8_t>()));
      return true;
    case 'M':
      push(tree_.integer(number<uint16_t>()));
      return true;
    case 'J':
      push(tree_.integer(number<int32_t>()));
      return true;
    case 'G':
      push(tree_.real(std::bit_cast<double>(__builtin_bswap64(number<uint64_t>()))));
      return true;
    case 0x8a:
      push_long(number<uint8_t>());
      return true;
    case 0x8b:
      push_long(number<uint32_t>());
      return true;
    default:
      return false;
  }
}

void PickleReader::push_long(uint64_t size) {
  const std::string_view bytes = take(size);
  if (size > 8) return push_text(Kind::kBigInteger, bytes);
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  if (size > 0 && size < 8 && (static_cast<uint8_t>(bytes[size - 1]) & 0x80U) != 0) {
    value |= ~((uint64_t{1} << (8 * size)) - 1);  // the sign
  }
  push(tree_.integer(static_cast<int64_t>(value)));
}

bool PickleReader::run_text(uint8_t opcode) {
  switch (opcode) {
    case 'X':
    case 'T':  // Python 2's str: usually names
      push_text(Kind::kString, take(number<uint32_t>()));
      return true;
    case 'U':
    case 0x8c:
      push_text(Kind::kString, take(number<uint8_t>()));
      return true;
    case 0x8d:
      push_text(Kind::kString, take(number<uint64_t>()));
      return true;
    case 'C':
      push_text(Kind::kBytes, take(number<uint8_t>()));
      return true;
    case 'B':
      push_text(Kind::kBytes, take(number<uint32_t>()));
      return true;
    case 0x8e:
    case 0x96:  // BYTEARRAY8
      push_text(Kind::kBytes, take(number<uint64_t>()));
      return true;
    default:
      return false;
  }
}

/// Makes a container from the values from `begin` on.
void PickleReader::collect(Kind kind, size_t begin) {
  if (begin < floor() || begin > stack_.size()) bad("takes values that are not there");
  if (kind == Kind::kDict && (stack_.size() - begin) % 2 != 0) bad("a key without a value");
  PickleValue& value = tree_.make(kind);
  value.items_.assign(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
  stack_.resize(begin);
  push(value);
}

/// Adds the values from `begin` on to the container below them. Values added to an opaque object
/// are dropped.
void PickleReader::extend(size_t begin, bool pairs) {
  if (begin > stack_.size() || begin <= floor()) bad("takes values that are not there");
  if (pairs && (stack_.size() - begin) % 2 != 0) bad("a key without a value");
  PickleValue& container = *stack_[begin - 1];
  if (container.is(pairs ? Kind::kDict : Kind::kList)) {
    container.items_.insert(container.items_.end(),
                            stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
  } else if (!container.is(Kind::kObject)) {
    bad("puts values into {}", container.description());
  }
  stack_.resize(begin);
}

bool PickleReader::run_container(uint8_t opcode) {
  switch (opcode) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case ']':
    case 0x8f:  // EMPTY_SET
      push(tree_.list());
      return true;
    case '}':
      push(tree_.dict());
      return true;
    case ')':
      push(tree_.tuple());
      return true;
    case 'a':
      extend(begin_of_last(1), false);
      return true;
    case 's':
      extend(begin_of_last(2), true);
      return true;
    case 'e':
    case 0x90:  // ADDITEMS
      extend(pop_mark(), false);
      return true;
    case 'u':
      extend(pop_mark(), true);
      return true;
    case 'l':
    case 0x91:  // FROZENSET
      collect(Kind::kList, pop_mark());
      return true;
    case 'd':
      collect(Kind::kDict, pop_mark());
      return true;
    case 't':
      collect(Kind::kTuple, pop_mark());
      return true;
    case 0x85:
    case 0x86:
    case 0x87:
      collect(Kind::kTuple, begin_of_last(opcode - 0x84U));
      return true;
    default:
      return false;
  }
}

/// `extra_opcode` is the opcode whose keyword arguments are on top of the stack and dropped:
/// NEWOBJ_EX.
void PickleReader::make_object(std::string_view extra_opcode) {
  if (!extra_opcode.empty()) pop();
  const PickleValue& arguments = pop();
  const PickleValue& callable = pop();
  if (callable.is(Kind::kGlobal) && (callable.text_ == "collections.OrderedDict" ||
                                     callable.text_ == "collections.defaultdict")) {
    // OrderedDict may receive its pairs as arguments; Python 2 wrote it so.
    PickleValue& dict = tree_.ordered_dict();
    const auto given = arguments.items();
    if (callable.text_ == "collections.OrderedDict" && given.size() == 1) {
      for (const PickleValue* pair : given[0]->items()) {
        if (pair->items().size() != 2) bad("a key without a value");
        count_copied(2);
        dict.items_.insert(dict.items_.end(), pair->items_.begin(), pair->items_.end());
      }
    }
    return push(dict);
  }
  PickleValue& object = tree_.make(Kind::kObject);
  object.text_ = callable.is(Kind::kGlobal) ? callable.text_ : "a call within a call";
  object.items_.push_back(&arguments);
  push(object);
}

void PickleReader::build() {
  const PickleValue& state = pop();
  PickleValue& object = top();
  if (object.is(Kind::kDict)) return;  // attributes of an OrderedDict: _metadata of a state dict
  if (!object.is(Kind::kObject)) bad("gives a state to {}", object.description());
  object.items_.resize(1);
  object.items_.push_back(&state);
}

bool PickleReader::run_object(uint8_t opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = line();
      push(tree_.global(fmt::format("{}.{}", module, line())));
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const PickleValue& name = pop();
      const PickleValue& module = pop();
      if (!name.is(Kind::kString) || !module.is(Kind::kString)) bad("a global without a name");
      const size_t size = module.text_.size() + name.text_.size();
      if (size > kMaxNameBytes) bad("a name of {} bytes", size);
      count_copied(size);
      push(tree_.global(fmt::format("{}.{}", module.text_, name.text_)));
      return true;
    }
    case 'R':
    case 0x81:  // NEWOBJ
      make_object("");
      return true;
    case 0x92:
      make_object("NEWOBJ_EX");
      return true;
    case 'b':
      build();
      return true;
    case 'Q':
      push(tree_.persistent(pop()));
      return true;
    default:
      return false;
  }
}

/// Python numbers memo entries from 0, so an index is always less than the current position.
void PickleReader::put(uint64_t index) {
  if (index >= position_) bad("memo entry {} is out of order", index);
  if (index >= memo_.size()) memo_.resize(index + 1);
  if (memo_[index] == nullptr) ++memoized_;
  memo_[index] = &top();
}

void PickleReader::get(uint64_t index) {
  if (index >= memo_.size() || memo_[index] == nullptr) bad("memo entry {} is not there", index);
  stack_.push_back(memo_[index]);
}

bool PickleReader::run_memo(uint8_t opcode) {
  switch (opcode) {
    case 'q':
      put(number<uint8_t>());
      return true;
    case 'r':
      put(number<uint32_t>());
      return true;
    case 0x94:
      put(memoized_);
      return true;
    case 'h':
      get(number<uint8_t>());
      return true;
    case 'j':
      get(number<uint32_t>());
      return true;
    case '0':
      if (stack_.size() == floor() && !marks_.empty()) {
        marks_.pop_back();  // Python's POP removes a mark when no value is above it
      } else {
        pop();
      }
      return true;
    case '1':
      stack_.resize(pop_mark());
      return true;
    default:
      return false;
  }
}

const PickleValue& read_pickle(std::string_view data, PickleTree& tree, std::string_view where,
                               size_t* used) {
  PickleReader reader(data, tree, where);
  const PickleValue& root = reader.run();
  if (used != nullptr) *used = reader.used();
  return root;
}

}  // namespace bertha::io
