// Attention by cuDNN: the calls against a stand-in for the library on emulated kernels, and the
// plans of the library itself where BERTHA_LIBCUDNN and BERTHA_CUDNN_DEVICE name it and a file that
// describes a GPU.

#include "backend/cuda/fused_attention.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "accelerator/pair.h"
#include "core/error.h"
#include "ops/attention.h"
#include "support/files.h"

namespace bertha::cuda {
namespace {

/// Sets a variable of the environment, and puts it back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

/// The stand-in works on host memory, so it needs the emulated device.
class FusedAttentionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::DevicePair::absence().empty()) GTEST_SKIP() << test::DevicePair::absence();
    if (test::DevicePair().device().description() != "CUDA kernels run by the host") {
      GTEST_SKIP() << "the stand-in for cuDNN works on host memory";
    }
  }
  static Variable behaves(const std::string& how) { return {"BERTHA_CUDNN_STANDIN", how}; }

  const Variable library_ = {"BERTHA_LIBCUDNN", CUDNN_STANDIN};
};

struct Case {
  int64_t heads, size, max_length;
  std::vector<int32_t> seq_start;
  int64_t tokens;
};

/// An empty sequence, rows of no sequence, more sequences than the least plan has, small heads.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {2, 64, 136, {0, 3, 67, 67, 100}, 128},
      {3, 32, 40, {0, 40, 41, 50, 60, 61, 62, 63, 64, 70, 72}, 72},
      {1, 8, 512, {0, 5}, 16}};
  return all;
}

/// Runs attention twice, so that the second run has no comparison with this program's kernels.
void expect_right(test::DevicePair& pair, const Case& c) {
  const int64_t hidden = c.heads * c.size;
  const Tensor qkv = pair.random({c.tokens, 3 * hidden}, DType::kBF16, 1, 1.5F);
  const Tensor start = pair.numbers(c.seq_start);
  const Tensor y = pair.random({c.tokens, hidden}, DType::kBF16, 2);
  const Tensor lse = pair.random({c.tokens, c.heads}, DType::kF32, 3);
  for (int turn = 0; turn < 2; ++turn) {
    pair.run({qkv, start, y, lse}, [&](Context& context, const auto& at) {
      ops::attention(context, {.qkv = at(qkv),
                               .seq_start = at(start),
                               .shape = {.heads = c.heads, .max_length = c.max_length},
                               .y = out(at(y)),
                               .lse = out(at(lse))});
    });
    pair.expect_same(y, test::tolerance(DType::kBF16), "y");
    pair.expect_same(lse, 1e-3, "lse");
  }
}

FusedAttention::Entry& entry_of(test::DevicePair& pair, const Case& c) {
  auto& device = static_cast<CudaDevice&>(pair.device());
  return device.fused_attention()->entry(FusedAttention::problem_of(
      c.tokens, std::ssize(c.seq_start) - 1, c.max_length, c.heads, c.size));
}

TEST_F(FusedAttentionTest, GivesWhatTheCpuGives) {
  for (const Case& c : cases()) {
    test::DevicePair pair;
    expect_right(pair, c);
    const FusedAttention::Entry& entry = entry_of(pair, c);
    ASSERT_NE(entry.plan, nullptr);
    EXPECT_TRUE(entry.compared);
    EXPECT_EQ(entry.plan->engine(), 9) << "the first that is deterministic and small";
  }
}

TEST_F(FusedAttentionTest, RunsThisProgramsKernelsWhereCudnnHasNone) {
  const Variable none = behaves("none");
  test::DevicePair pair;
  expect_right(pair, cases()[0]);
  EXPECT_EQ(entry_of(pair, cases()[0]).plan, nullptr);
}

TEST_F(FusedAttentionTest, ResultsThatDifferEndTheRun) {
  const Variable wrong = behaves("wrong");
  test::DevicePair pair;
  try {
    expect_right(pair, cases()[0]);
    FAIL() << "a library without the scale was believed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("attention of cuDNN 9.28.1 differs"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(FusedAttentionTest, ALibraryThatCannotBeUsedIsNamed) {
  const Variable old = behaves("old");
  try {
    const test::DevicePair pair;
    FAIL() << "cuDNN 9.14 was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("9.14.0 is too old"), std::string::npos);
  }
  const Variable missing = {"BERTHA_LIBCUDNN", "/nonexistent/libcudnn.so.9"};
  EXPECT_THROW(test::DevicePair(), Error);
}

TEST_F(FusedAttentionTest, AFailedCallIsAnError) {
  const Variable strict = behaves("strict");
  test::DevicePair pair;
  EXPECT_THROW(expect_right(pair, cases()[0]), Error);
}

TEST_F(FusedAttentionTest, DropoutStaysWithThisProgramsKernels) {
  const Variable wrong = behaves("wrong");  // an Error if it ran
  test::DevicePair pair;
  const Tensor qkv = pair.random({16, 3 * 64}, DType::kBF16, 1);
  const Tensor start = pair.numbers({0, 16});
  const Tensor y = pair.random({16, 64}, DType::kBF16, 2);
  const Tensor lse = pair.random({16, 1}, DType::kF32, 3);
  const Tensor seed = pair.numbers64({77, 5});
  pair.run({qkv, start, y, lse, seed}, [&](Context& context, const auto& at) {
    ops::attention(context, {.qkv = at(qkv),
                             .seq_start = at(start),
                             .shape = {.heads = 1, .max_length = 16},
                             .dropout = make_dropout(0.25, 3, at(seed)),
                             .y = out(at(y)),
                             .lse = out(at(lse))});
  });
  pair.expect_same(y, test::tolerance(DType::kBF16), "y");
}

TEST(CudnnPlans, TheLibraryAcceptsTheGraphForADescribedGpu) {
  const char* const library_path = std::getenv("BERTHA_LIBCUDNN");
  const char* const device_path = std::getenv("BERTHA_CUDNN_DEVICE");
  if (library_path == nullptr || device_path == nullptr) {
    GTEST_SKIP() << "BERTHA_LIBCUDNN and BERTHA_CUDNN_DEVICE name no library and no GPU";
  }
  const CudnnLibrary library(library_path);
  std::string json = test::read_all(device_path);
  CudnnDescriptor device(library, cudnn_abi::kDeviceProperties);
  device.set(cudnn_abi::kDeviceJson, cudnn_abi::kCharValue,
             std::span<const char>(json.c_str(), json.size() + 1));
  device.finalize();
  for (const AttentionProblem& problem : std::vector<AttentionProblem>{{64, 128, 16, 64},
                                                                       {16, 512, 16, 64},
                                                                       {8, 384, 12, 64},
                                                                       {8, 64, 12, 32},
                                                                       {32, 512, 8, 80}}) {
    const AttentionPlan plan(library, problem, {.device = &device});
    fmt::print("cuDNN {}: {} sequences of {}, {} heads of {}: engine {}, workspace {} bytes\n",
               library.version(), problem.sequences, problem.length, problem.heads,
               problem.head_size, plan.engine(), plan.workspace_bytes());
  }
}

}  // namespace
}  // namespace bertha::cuda
