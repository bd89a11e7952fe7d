#include "io/weights/pickle.h"

#include <gtest/gtest.h>

#include <map>

#include "core/error.h"
#include "io/byte_order.h"

namespace bertha::io {
namespace {

using namespace std::string_literals;
using Kind = PickleValue::Kind;

std::string error_of(const std::string& pickle) {
  PickleTree tree;
  try {
    read_pickle(pickle, tree, "x.pt: data.pkl");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

template <typename T>
std::string number(T value) {
  std::string bytes;
  store(bytes, value);
  return bytes;
}

TEST(Pickle, ValuesRoundTrip) {
  PickleTree tree;
  PickleValue& root = tree.dict();
  PickleValue& tuple = tree.tuple();
  for (int i = 0; i < 5; ++i) tuple.append(tree.integer(int64_t{1} << (12 * i)));
  root.set(tree.string("tuple"), tuple);
  root.set(tree.integer(-3), tree.boolean(true));
  root.set(tree.string("none"), tree.none());
  root.set(tree.string("real"), tree.real(-0.1));
  root.set(tree.string("empty"), tree.list());
  root.set(tree.string("unit"), tree.tuple());
  root.set(tree.string("dict"), tree.ordered_dict());
  root.set(tree.string("object"), tree.object("torch.Size", tuple));
  root.set(tree.string("global"), tree.global("torch.float32"));
  const std::string pickle = write_pickle(root);
  PickleTree other;
  const PickleValue& read = read_pickle(pickle, other, "x");
  EXPECT_EQ(read.items().size(), 18U);
  EXPECT_EQ(read.at("tuple", "").items()[4]->integer(""), int64_t{1} << 48);
  EXPECT_TRUE(read.find(int64_t{-3})->boolean(""));
  EXPECT_TRUE(read.at("none", "").is(Kind::kNone));
  EXPECT_EQ(read.at("real", "").real(""), -0.1);
  EXPECT_TRUE(read.at("empty", "").is(Kind::kList));
  EXPECT_TRUE(read.at("unit", "").is(Kind::kTuple));
  EXPECT_TRUE(read.at("dict", "").ordered());
  EXPECT_TRUE(read.at("object", "").is_object_of("torch.Size"));
  EXPECT_EQ(read.at("object", "").arguments()->items().size(), 5U);
  EXPECT_EQ(read.at("global", "").text(), "torch.float32");
  EXPECT_EQ(write_pickle(read), pickle);
}

TEST(Pickle, IntegersOfEveryLengthAreRead) {
  const std::map<std::string, int64_t> numbers = {{"\x8a\x00"s, 0},
                                                  {"\x8a\x01\xff"s, -1},
                                                  {"\x8a\x02\xff\x00"s, 255},
                                                  {"\x8a\x02\x00\x80"s, -32768},
                                                  {"K\xff"s, 255},
                                                  {"M\xff\xff"s, 65535},
                                                  {"J\xff\xff\xff\xff"s, -1},
                                                  {"\x8b\x01\0\0\0\x80"s, -128},
                                                  {"\x8a\x08\0\0\0\0\0\0\0\x80"s, INT64_MIN}};
  for (const auto& [opcode, value] : numbers) {
    PickleTree tree;
    EXPECT_EQ(read_pickle(opcode + ".", tree, "x").integer("x"), value);
  }
  PickleTree tree;
  EXPECT_TRUE(read_pickle("\x8a\x09\0\0\0\0\0\0\0\0\1."s, tree, "x").is(Kind::kBigInteger));
}

// The command that a hostile file would run in Python becomes a name and has no effect.
TEST(Pickle, CallsBecomeObjectsAndAreNotExecuted) {
  const std::string command = "X" + number(uint32_t{7}) + "touch x";
  const std::map<std::string, std::string> pickles = {
      {"cos\nsystem\n(" + command + "tR.", "os.system"},
      {"cposix\nsystem\n" + command + "\x85R.", "posix.system"},
      {"\x8c\x02os\x8c\x06system\x93" + command + "\x85R.", "os.system"},
      {"\x8c\x08"
       "builtins\x8c\x04"
       "exec\x93" +
           command + "\x85R.",
       "builtins.exec"},
      {"c__builtin__\neval\n(" + command + "tR.", "__builtin__.eval"},
      {"csubprocess\nPopen\n(" + command + "t\x81.", "subprocess.Popen"},
      {"csubprocess\nPopen\n)}\x92.", "subprocess.Popen"},
      {"crunpy\n_run_code\n)R}b.", "runpy._run_code"},
      {"ctorch\nload\n(" + command + "tR.", "torch.load"},
  };
  for (const auto& [pickle, name] : pickles) {
    PickleTree tree;
    const PickleValue& value = read_pickle(pickle, tree, "x");
    EXPECT_TRUE(value.is_object_of(name)) << value.description();
    for (const auto& need : {+[](const PickleValue& v) { v.integer("x.pt: epoch"); },
                             +[](const PickleValue& v) { v.real("x.pt: epoch"); },
                             +[](const PickleValue& v) { v.string("x.pt: epoch"); },
                             +[](const PickleValue& v) { v.at("k", "x.pt: epoch"); }}) {
      try {
        need(value);
        ADD_FAILURE() << name;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("an object of " + name), std::string::npos)
            << error.what();
      }
    }
    EXPECT_TRUE(value.items().empty());
    EXPECT_EQ(value.find("k"), nullptr);
  }
}

TEST(Pickle, HostilePicklesAreRejected) {
  const std::vector<std::pair<std::string, std::string>> pickles = {
      {"", "needs 1 more bytes"},
      {".", "ends with 0 values"},
      {"NN.", "ends with 2 values"},
      {"(N.", "ends with 1 values"},
      {"\x80", "needs 1 more"},
      {"\x80\x00."s, "protocol 0"},
      {"\x80\x06.", "protocol 6"},
      {"I1\n.", "opcode 0x49"},
      {"L1L\n.", "opcode 0x4c"},
      {"F1\n.", "opcode 0x46"},
      {"S'x'\n.", "opcode 0x53"},
      {"Vx\n.", "opcode 0x56"},
      {"(ios\nsystem\n.", "opcode 0x69"},
      {"(cos\nsystem\nX\0\0\0\0o."s, "opcode 0x6f"},
      {"\x82\x01.", "opcode 0x82"},
      {"\x83\x01\x01.", "opcode 0x83"},
      {"\x84\x01\x01\x01\x01.", "opcode 0x84"},
      {"\x97.", "opcode 0x97"},
      {"\x98.", "opcode 0x98"},
      {"P1\n.", "opcode 0x50"},
      {"g0\n.", "opcode 0x67"},
      {"N2.", "opcode 0x32"},
      {"\xff.", "opcode 0xff"},
      {"N\x95" + number(uint64_t{1} << 60) + ".", "frame of"},
      {"\x95" + number(uint64_t{2}) + ".", "frame of 2"},
      {"X" + number(uint32_t{0xffffffff}) + "x.", "needs 4294967295 more bytes"},
      {"T" + number(uint32_t{0x7fffffff}) + "x.", "more bytes"},
      {"B" + number(uint32_t{0xfffffff0}) + "x.", "more bytes"},
      {"\x8d" + number(UINT64_MAX) + "x.", "more bytes"},
      {"\x8e" + number(UINT64_MAX - 8) + "x.", "more bytes"},
      {"\x96" + number(uint64_t{1} << 63) + "x.", "more bytes"},
      {"\x8b" + number(uint32_t{0x80000000}) + ".", "more bytes"},
      {"\x8a\xff.", "more bytes"},
      {"U\xff.", "more bytes"},
      {"\x8c\x05"
       "abcd",
       "more bytes"},
      {"C\x02.", "more bytes"},
      {"G\0\0\0."s, "more bytes"},
      {"J\0\0"s, "more bytes"},
      {"M\0"s, "more bytes"},
      {"K", "more bytes"},
      {"h\0."s, "memo entry 0 is not there"},
      {"h\xff.", "memo entry 255 is not there"},
      {"Nq\0h\1."s, "memo entry 1 is not there"},
      {"j" + number(UINT32_MAX) + ".", "memo entry"},
      {"Nr" + number(UINT32_MAX) + ".", "out of order"},
      {"Nr" + number(uint32_t{1000}) + ".", "out of order"},
      {"q\0."s, "not there"},
      {"\x94.", "not there"},
      {"(\x94.", "not there"},
      {"0.", "not there"},
      {"1.", "mark that is not there"},
      {"t.", "mark that is not there"},
      {"l.", "mark that is not there"},
      {"d.", "mark that is not there"},
      {"e.", "mark that is not there"},
      {"u.", "mark that is not there"},
      {"\x90.", "mark that is not there"},
      {"\x91.", "mark that is not there"},
      {"a.", "not there"},
      {"Na.", "not there"},
      {"](Na.", "not there"},
      {"(e.", "not there"},
      {"](N(e.", "puts values into"},
      {"s.", "not there"},
      {"NNs.", "not there"},
      {"}(NNs.", "not there"},
      {"NNa.", "puts values into None"},
      {"K\1NNs.", "puts values into the integer 1"},
      {")Na.", "puts values into a tuple"},
      {"}Na.", "puts values into a dict"},
      {"]NNs.", "puts values into a list"},
      {"}(Nu.", "key without a value"},
      {"(Nd.", "key without a value"},
      {"\x85.", "not there"},
      {"N\x86.", "not there"},
      {"NN\x87.", "not there"},
      {"N(N\x86.", "not there"},
      {"R.", "not there"},
      {")R.", "not there"},
      {"cos\nsystem\n(R.", "not there"},
      {"\x81.", "not there"},
      {"cos\nsystem\n)\x92.", "not there"},
      {"b.", "not there"},
      {"}b.", "not there"},
      {"N}b.", "gives a state to None"},
      {"]}b.", "gives a state to a list"},
      {"cos\nsystem\n}b.", "gives a state to the global os.system"},
      {"\x93.", "not there"},
      {"\x8c\x02os\x93.", "not there"},
      {"NN\x93.", "global without a name"},
      {"K\1\x8c\x01x\x93.", "global without a name"},
      {"cos\nsystem", "name without an end"},
      {"cos", "name without an end"},
      {"c", "name without an end"},
      {"c" + std::string(5000, 'x') + "\ny\n.", "name of 5000 bytes"},
      {"X" + number(uint32_t{4000}) + std::string(4000, 'x') + "q\0h\0\x93."s,
       "name of 8000 bytes"},
      {"Q.", "not there"},
      {"(Q.", "not there"},
      {"ccollections\nOrderedDict\n]]N\x85"
       "a\x85R.",
       ""},
      {"ccollections\nOrderedDict\n](N\x85"
       "e\x85R.",
       "key without a value"},
  };
  EXPECT_GE(pickles.size(), 90U);
  for (const auto& [pickle, reason] : pickles) {
    const std::string message = error_of(pickle);
    EXPECT_NE(message.find("x.pt: data.pkl: damaged or hostile pickle, byte "), std::string::npos)
        << testing::PrintToString(pickle) << ": " << message;
    EXPECT_NE(message.find(reason), std::string::npos)
        << testing::PrintToString(pickle) << ": " << message;
  }
}

// Endless brackets: Python's own reader and every recursive walk over the result would overflow.
TEST(Pickle, DeepNestingUsesNoStack) {
  constexpr size_t kDepth = 130'000;
  PickleTree tree;
  const std::string lists = std::string(kDepth, ']') + std::string(kDepth - 1, 'a') + ".";
  const PickleValue& root = read_pickle(lists, tree, "x");
  ASSERT_EQ(root.items().size(), 1U);
  const std::string written = write_pickle(root);
  PickleTree other;
  EXPECT_EQ(read_pickle(written, other, "x").items().size(), 1U);
  PickleTree tuples;
  EXPECT_EQ(read_pickle("N" + std::string(kDepth, '\x85') + ".", tuples, "x").items().size(), 1U);
  EXPECT_NE(error_of(std::string(kDepth, '(')).find("needs 1 more"), std::string::npos);
}

TEST(Pickle, SelfReferenceIsReadButNotWritten) {
  const std::string loop = "]q\0h\0a."s;
  PickleTree tree;
  const PickleValue& root = read_pickle(loop, tree, "x");
  EXPECT_EQ(root.items()[0], &root);
  EXPECT_THROW(write_pickle(root), Error);
}

TEST(Pickle, ExpandingPicklesAreRejected) {
  // Each level holds the previous level twice: 2^60 values as a tree, 61 in memory.
  std::string doubling = ")q\0"s;
  for (int i = 0; i < 60; ++i)
    doubling += "h"s + static_cast<char>(i) + "\x86q" + static_cast<char>(i + 1);
  PickleTree tree;
  const PickleValue& root = read_pickle(doubling + ".", tree, "x");
  EXPECT_LT(tree.size(), 100);
  EXPECT_THROW(write_pickle(root), Error);
  // One long list of pairs; four bytes each turn it into a dict again and again.
  std::string dicts = "ccollections\nOrderedDict\nq\0]q\1("s;
  for (int i = 0; i < 10'000; ++i) dicts += "NN\x86";
  dicts += "e\x85q\2(";
  for (int i = 0; i < 10'000; ++i) dicts += "h\0h\2R"s;
  EXPECT_NE(error_of(dicts + "t.").find("copies more"), std::string::npos);
  // The same with a long name.
  std::string names = "X" + number(uint32_t{2'000}) + std::string(2'000, 'x') + "q\0("s;
  for (int i = 0; i < 10'000; ++i) names += "h\0h\0\x93"s;
  EXPECT_NE(error_of(names + "t.").find("copies more"), std::string::npos);
  // Opcodes of one or two bytes, each of which uses memory.
  const std::string marks(kMaxPickleOpcodes + kMaxPickleOpcodes / 100, '(');
  for (const std::string& flood :
       {marks, std::string(marks.size(), 'N'), std::string(marks.size(), ')'),
        "N" + std::string(marks.size(), '\x85'), "N" + std::string(marks.size(), '\x94')}) {
    EXPECT_NE(error_of(flood).find("more than"), std::string::npos) << flood[1];
  }
}

TEST(Pickle, ItemsOfAnOpaqueObjectAreDropped) {
  PickleTree tree;
  const PickleValue& value = read_pickle("cx\nY\n)R(NNe(NNu}b.", tree, "x");
  EXPECT_TRUE(value.is_object_of("x.Y"));
  ASSERT_NE(value.state(), nullptr);
  EXPECT_TRUE(value.items().empty());
}

TEST(Pickle, LastOfTwoEqualKeysCounts) {
  PickleTree tree;
  EXPECT_EQ(read_pickle("}(U\1aK\1U\1aK\2u.", tree, "x").at("a", "").integer(""), 2);
}

}  // namespace
}  // namespace bertha::io
