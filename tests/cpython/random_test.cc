#include "cpython/random.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <vector>

namespace bertha::cpython {
namespace {

// Known answers from CPython 3.11.7. With r = random.Random(seed), the calls are in this order:
// three getrandbits(32), one random(), two randint(1, 1), four randint(0, 8), randint(2, 125), and
// the shuffle of list(range(10)).
struct KnownAnswers {
  int64_t seed;
  std::vector<uint32_t> words;
  double uniform;
  std::vector<int64_t> to_eight;
  int64_t to_125;
  std::vector<int> shuffled;
};

const std::vector<KnownAnswers> kAnswers = {
    {0,
     {3626764237, 1654615998, 3255389356},
     0.890243920837131,
     {8, 7, 6, 4},
     125,
     {6, 9, 0, 8, 2, 1, 4, 3, 5, 7}},
    {1,
     {577090037, 2444712010, 3639700191},
     0.8022650611681835,
     {1, 7, 7, 7},
     85,
     {7, 5, 2, 4, 9, 0, 8, 1, 3, 6}},
    {12345,
     {1789368711, 3146859322, 43676229},
     0.8201747225612886,
     {3, 4, 6, 2},
     49,
     {2, 0, 3, 8, 9, 5, 7, 4, 6, 1}},
    {-7,
     {1390851128, 4071050724, 647892279},
     0.3948234964231735,
     {8, 1, 5, 0},
     118,
     {1, 2, 4, 6, 5, 9, 7, 0, 3, 8}},
    {1099511627779,
     {943978446, 261273136, 2359950418},
     0.8337623036996417,
     {3, 7, 8, 8},
     96,
     {1, 9, 0, 7, 6, 3, 2, 8, 4, 5}},
    {std::numeric_limits<int64_t>::min(),
     {2377109768, 1691753470, 4039908392},
     0.20933427096899082,
     {5, 8, 4, 7},
     85,
     {8, 6, 4, 1, 2, 7, 5, 0, 9, 3}},
};

TEST(PythonRandom, EqualsCPythonsDraws) {
  for (const KnownAnswers& answers : kAnswers) {
    SCOPED_TRACE(answers.seed);
    PythonRandom random(answers.seed);
    for (const uint32_t word : answers.words) EXPECT_EQ(random.bits(32), word);
    EXPECT_EQ(random.random(), answers.uniform);
    EXPECT_EQ(random.randint(1, 1), 1);
    EXPECT_EQ(random.randint(1, 1), 1);
    for (const int64_t draw : answers.to_eight) EXPECT_EQ(random.randint(0, 8), draw);
    EXPECT_EQ(random.randint(2, 125), answers.to_125);
    std::vector<int> items(10);
    std::iota(items.begin(), items.end(), 0);
    random.shuffle(std::span(items));
    EXPECT_EQ(items, answers.shuffled);
  }
}

TEST(PythonRandom, EqualsCPythonAfterManyRefills) {
  PythonRandom random(12345);
  for (int i = 0; i < 2000; ++i) random.random();
  EXPECT_EQ(random.bits(1), 0U);
  EXPECT_EQ(random.bits(7), 18U);
  EXPECT_EQ(random.bits(32), 2778648089U);
}

TEST(PythonRandom, ShuffleOfZeroAndOneItemsIsValid) {
  PythonRandom random(3);
  PythonRandom untouched(3);
  std::vector<int> items;
  random.shuffle(std::span(items));
  items = {7};
  random.shuffle(std::span(items));
  EXPECT_EQ(items, std::vector<int>{7});
  EXPECT_EQ(random.next_u32(), untouched.next_u32());
}

}  // namespace
}  // namespace bertha::cpython
