#pragma once

// Python pickles as data. The reader builds a tree of values and never calls, imports or looks up
// anything: a global is a name, what would be called is an object that keeps the name and the
// arguments. Who needs a value of it says which names it understands (torch_file.h); everything
// else stays opaque and is skipped. Opcodes are those that protocols 2 to 5 write (Python's
// pickletools documents them); no call here recurses, so nesting costs no stack.

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
    kBigInteger,  ///< past 64 bits; text() has its two's complement, little-endian
    kReal,
    kString,  ///< text() in UTF-8
    kBytes,   ///< text() has the bytes
    kList,    ///< sets too
    kTuple,
    kDict,        ///< OrderedDict and defaultdict too; items() are key, value, key, value, …
    kGlobal,      ///< text() is "module.name"
    kObject,      ///< text() names the class or function; arguments(), state()
    kPersistent,  ///< arguments() is the persistent id, a storage of torch.save
  };

  Kind kind() const { return kind_; }
  /// For messages: "a list", "an object of numpy.ndarray".
  std::string description() const;

  bool is(Kind kind) const { return kind_ == kind; }
  /// True for an object that `name`, "module.name", was to make.
  bool is_object_of(std::string_view name) const { return is(Kind::kObject) && text_ == name; }

  /// The value of a bool, an integer or a real; each throws Error for another kind, naming `what`.
  bool boolean(std::string_view what) const;
  int64_t integer(std::string_view what) const;
  double real(std::string_view what) const;  ///< integers too
  /// The text of a string.
  std::string_view string(std::string_view what) const;
  /// The raw text of any kind that has one.
  std::string_view text() const { return text_; }

  /// Elements of a list or tuple; keys and values in turn of a dict; else empty.
  std::span<const PickleValue* const> items() const;
  /// The value of a string or integer key, or null; the last one where a key stands twice.
  const PickleValue* find(std::string_view key) const;
  const PickleValue* find(int64_t key) const;
  /// As find(), but throws Error, naming `what`, when there is none or this is no dict.
  const PickleValue& at(std::string_view key, std::string_view what) const;

  /// What an object was to be made of: a tuple as a rule. Null for kinds without.
  const PickleValue* arguments() const;
  /// What an object was given by BUILD (its attributes), or null.
  const PickleValue* state() const;

  // Building a tree to be written.
  void append(const PickleValue& item);
  void set(const PickleValue& key, const PickleValue& value);
  bool ordered() const { return flag_; }  ///< a dict that is an OrderedDict

 private:
  friend class PickleTree;
  friend class PickleReader;

  Kind kind_ = Kind::kNone;
  bool flag_ = false;  ///< a bool's value; a dict's ordered()
  union {
    int64_t integer_ = 0;
    double real_;
  };
  std::string_view text_;
  std::vector<const PickleValue*> items_;
};

/// Owns values, which may share and even contain each other.
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
  /// `dict`[`key`] = `value`.
  void set(PickleValue& dict, std::string_view key, const PickleValue& value) {
    dict.set(string(key), value);
  }

  int64_t size() const { return static_cast<int64_t>(values_.size()); }
  /// All values, in the order they were made.
  const std::deque<PickleValue>& values() const { return values_; }

 private:
  friend class PickleReader;
  PickleValue& make(PickleValue::Kind kind);
  std::string_view keep(std::string_view text);

  std::deque<PickleValue> values_;
  std::deque<std::string> texts_;
};

/// Opcodes that a pickle may have, besides one for each kPickleBytesPerOpcode of its bytes. Each
/// takes up to some 120 bytes of memory, however short it is in the file, so this bounds the
/// memory; a checkpoint of BERT-Large has some 90,000, and its long strings cost nothing.
inline constexpr int64_t kMaxPickleOpcodes = 400'000;
inline constexpr int64_t kPickleBytesPerOpcode = 128;

/// Reads one pickle from the start of `data` into `tree`, which keeps views into `data`. `where`
/// names file and entry in errors, which add the byte. *used, if not null, gets the bytes read.
const PickleValue& read_pickle(std::string_view data, PickleTree& tree, const std::string& where,
                               size_t* used = nullptr);

/// The value as a pickle of protocol 2, as torch.save writes it. Shared values are written once
/// for each use. Throws Error when a value cannot be written (big integers, objects with state).
std::string write_pickle(const PickleValue& value);

}  // namespace bertha::io
