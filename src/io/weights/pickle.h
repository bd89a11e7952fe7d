#pragma once

// Python pickles as data. The reader builds a tree of values and never calls, imports or looks up
// anything: a global is a name, and a call becomes an object that keeps the name and the arguments.
// The user of a value decides which names it understands (torch_file.h); all other objects stay
// opaque and are skipped. The reader knows the opcodes of protocols 2 to 5 (documented in Python's
// pickletools). No function recurses, so nesting uses no stack.

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::io {

class PickleTree;

class PickleValue {
 public:
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInteger,
    kBigInteger,  ///< beyond 64 bits; text() has its two's complement, little-endian
    kReal,
    kString,  ///< text() in UTF-8
    kBytes,   ///< text() has the bytes
    kList,    ///< also sets
    kTuple,
    kDict,        ///< also OrderedDict and defaultdict; items() are key, value, key, value, …
    kGlobal,      ///< text() is "module.name"
    kObject,      ///< text() names the class or function; arguments(), state()
    kPersistent,  ///< arguments() is the persistent id, a storage of torch.save
  };

  Kind kind() const { return kind_; }
  /// For messages: "a list", "an object of numpy.ndarray".
  std::string description() const;

  bool is(Kind kind) const { return kind_ == kind; }
  /// True for an object whose class or function is `name`, as "module.name".
  bool is_object_of(std::string_view name) const { return is(Kind::kObject) && text_ == name; }

  /// The value of a bool, integer or real. Each throws Error that names `what` for another kind.
  bool boolean(std::string_view what) const;
  int64_t integer(std::string_view what) const;
  double real(std::string_view what) const;  ///< also accepts integers
  /// The text of a string.
  std::string_view string(std::string_view what) const;
  /// The text of any kind that has one.
  std::string_view text() const { return text_; }

  /// Elements of a list or tuple; alternating keys and values of a dict; else empty.
  std::span<const PickleValue* const> items() const;
  /// The value of a string or integer key, or null. The last value counts when a key occurs twice.
  const PickleValue* find(std::string_view key) const;
  const PickleValue* find(int64_t key) const;
  /// Like find(), but throws Error that names `what` when the key is missing or this is not a dict.
  const PickleValue& at(std::string_view key, std::string_view what) const;

  /// The arguments of an object, usually a tuple; null for other kinds.
  const PickleValue* arguments() const;
  /// The state (attributes) that BUILD gave to an object, or null.
  const PickleValue* state() const;

  // For trees to be written.
  void append(const PickleValue& item);
  void set(const PickleValue& key, const PickleValue& value);
  bool ordered() const { return flag_; }  ///< true for an OrderedDict

 private:
  friend class PickleTree;
  friend class PickleReader;

  Kind kind_ = Kind::kNone;
  bool flag_ = false;  ///< the value of a bool; ordered() of a dict
  union {
    int64_t integer_ = 0;
    double real_;
  };
  std::string_view text_;
  std::vector<const PickleValue*> items_;
};

/// Owns values. They may share and even contain each other.
class PickleTree {
 public:
  PickleTree() = default;
  PickleTree(const PickleTree&) = delete;
  PickleTree& operator=(const PickleTree&) = delete;

  PickleValue& none() { return make(PickleValue::Kind::kNone); }
  PickleValue& boolean(bool value);
  PickleValue& integer(int64_t value);
  PickleValue& real(double value);
  PickleValue& string(std::string_view text);
  PickleValue& list() { return make(PickleValue::Kind::kList); }
  PickleValue& tuple() { return make(PickleValue::Kind::kTuple); }
  PickleValue& dict() { return make(PickleValue::Kind::kDict); }
  PickleValue& ordered_dict();
  PickleValue& global(std::string_view name);
  PickleValue& object(std::string_view name, const PickleValue& arguments);
  PickleValue& persistent(const PickleValue& id);
  /// Sets `dict`[`key`] = `value`.
  void set(PickleValue& dict, std::string_view key, const PickleValue& value) {
    dict.set(string(key), value);
  }

  int64_t size() const { return static_cast<int64_t>(values_.size()); }
  /// All values, in the order of their creation.
  const std::deque<PickleValue>& values() const { return values_; }

 private:
  friend class PickleReader;
  PickleValue& make(PickleValue::Kind kind);
  std::string_view keep(std::string_view text);

  std::deque<PickleValue> values_;
  std::deque<std::string> texts_;
};

/// The number of opcodes that a pickle may have, plus one per kPickleBytesPerOpcode bytes of its
/// size. Each opcode can use about 120 bytes of memory however short it is in the file, so the
/// limit bounds the memory. A checkpoint of BERT-Large has about 90,000 opcodes, and its long
/// strings do not count.
inline constexpr int64_t kMaxPickleOpcodes = 400'000;
inline constexpr int64_t kPickleBytesPerOpcode = 128;

/// Reads one pickle from the start of `data` into `tree`, which keeps views into `data`. Errors
/// begin with `where` (file and entry) and give the byte. If `used` is not null, *used is set to
/// the number of bytes read.
const PickleValue& read_pickle(std::string_view data, PickleTree& tree, std::string_view where,
                               size_t* used = nullptr);

/// The value as a pickle of protocol 2, as torch.save writes it. A shared value is written once per
/// use. Throws Error when a value cannot be written (big integers, objects with state).
std::string write_pickle(const PickleValue& value);

}  // namespace bertha::io
