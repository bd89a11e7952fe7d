// Checkpoints against kill -9 and against damage: a process that saves is killed at every call it
// makes and at random times; every bit of a checkpoint is flipped somewhere in 10,000 tries.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "core/philox.h"
#include "io/atomic_file.h"
#include "io/weights/checkpoint_names.h"
#include "io/weights/tensor_source.h"
#include "support/files.h"
#include "train/checkpoint.h"
#include "train/dying_calls.h"
#include "train/pretraining_trainer.h"
#include "train/tiny_run.h"

namespace bertha::train {
namespace {

using test::Death;

constexpr const char* kMarked = "bert.pooler.dense_act.bias";

/// A tiny model whose checkpoints say their number in the file, in its record and in a weight.
class Saver {
 public:
  Saver()
      : store_(device_, tiny_config(), bert::Heads::for_pretraining(), DType::kF32, true),
        trainer_(device_, tiny_config(), store_, settings()) {
    store_.initialise(bert::InitStyle::kRecipe, tiny_config(), 7);
  }

  void save(const std::string& folder, int64_t number) {
    const int index = store_.table().find(kMarked);
    const std::vector<float> mark(static_cast<size_t>(store_.table()[index].size()),
                                  static_cast<float>(number));
    store_.write(index, mark.data());
    CheckpointState state;
    state.step = number;
    state.files = {"a.hdf5", "b.hdf5"};
    state.run = RunRecord{.run_id = "run",
                          .settings = {{"seed", "7"}},
                          .rows_consumed = 6 * number,
                          .skipped_steps = 0,
                          .written = {}};
    save_checkpoint(path(folder, number), store_, trainer_.optimizer(), state, {});
  }

  static std::string path(const std::string& folder, int64_t number) {
    return folder + "/ckpt_" + std::to_string(number) + ".pt";
  }

 private:
  static TrainerSettings settings() {
    TrainerSettings settings;
    settings.limits = {.tokens = 32, .sequences = 2, .masked = 6};
    return settings;
  }

  cpu::CpuDevice device_;
  bert::ParameterStore store_;
  PretrainingTrainer trainer_;
};

/// What a killed process said before it died.
struct Ended {
  int64_t saved = 0;   ///< number of the last save that returned
  int64_t calls = -1;  ///< of a process that came to its end
  bool killed = false;
};

class Crash : public testing::Test {
 protected:
  std::string folder() const { return folder_.path().string(); }

  int64_t newest() const {
    const auto all = io::list_checkpoints(folder());
    return all.empty() ? 0 : all[0].first;
  }

  /// Runs `saves` saves in a process of its own that dies at a call, or is killed after
  /// `microseconds` when they are not negative.
  Ended run(int64_t saves, int64_t call, Death death, int64_t microseconds = -1) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) save_and_exit(saves, call, death, pipe[1]);
    ::close(pipe[1]);
    if (microseconds >= 0) {
      ::usleep(static_cast<useconds_t>(microseconds));
      ::kill(child, SIGKILL);
    }
    Ended ended;
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    ended.killed = WIFSIGNALED(status);
    for (int64_t said = 0; ::read(pipe[0], &said, sizeof(said)) == sizeof(said);) {
      (said < 0 ? ended.calls : ended.saved) = said < 0 ? -said : said;
    }
    ::close(pipe[0]);
    return ended;
  }

  /// Every checkpoint there is loads and is what its name says; none that was saved is lost; a
  /// cleaned folder holds checkpoints alone.
  void expect_whole(const Ended& ended, const std::string& what) {
    EXPECT_GE(newest(), ended.saved) << what;
    for (const auto& [number, path] : io::list_checkpoints(folder())) {
      ASSERT_NO_THROW(EXPECT_EQ(read_checkpoint_state(path).step, number) << what) << what;
      const auto source = io::open_weights(path);
      std::vector<float> mark(static_cast<size_t>(tiny_config().hidden_size));
      source->read_f32(kMarked, mark);
      for (const float value : mark) ASSERT_EQ(value, static_cast<float>(number)) << what;
      if (number + 2 < newest()) std::filesystem::remove(path);
    }
    io::remove_leftovers(folder());
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      EXPECT_EQ(entry.path().extension(), ".pt") << what << ": " << entry.path();
    }
  }

 private:
  [[noreturn]] void save_and_exit(int64_t saves, int64_t call, Death death, int said) {
    const int64_t first = newest() + 1;
    test::die_at(call, death);
    for (int64_t number = first; number < first + saves; ++number) {
      saver_.save(folder(), number);
      if (::write(said, &number, sizeof(number)) != sizeof(number)) ::_exit(2);
    }
    const int64_t calls = -test::counted_calls();
    if (::write(said, &calls, sizeof(calls)) != sizeof(calls)) ::_exit(2);
    ::_exit(0);
  }

  Saver saver_;
  test::TemporaryFolder folder_;
};

TEST_F(Crash, KillAtAnyCallOrTimeLeavesWholeCheckpoints) {
  constexpr int64_t kKills = 200;
  constexpr int64_t kSaves = 2;
  const auto begin = std::chrono::steady_clock::now();
  const Ended whole = run(kSaves, -1, Death::kBefore);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  ASSERT_FALSE(whole.killed);
  ASSERT_EQ(whole.saved, kSaves);
  ASSERT_GE(whole.calls, 8 * kSaves);  // create, lock, write, flush, rename, close, flush folder
  for (int64_t call = 0; call < whole.calls; ++call) {
    for (const Death death : {Death::kBefore, Death::kHalfway}) {
      const Ended ended = run(kSaves, call, death);
      ASSERT_TRUE(ended.killed);
      expect_whole(ended, "call " + std::to_string(call));
    }
  }
  PhiloxStream random(5, 0);
  const auto longest = static_cast<uint64_t>(took.count()) + 1;
  for (int64_t kill = 0; kill < kKills; ++kill) {
    const auto wait = static_cast<int64_t>(random.below(longest));
    const Ended ended = run(1000, -1, Death::kBefore, wait);
    ASSERT_TRUE(ended.killed);
    expect_whole(ended, "killed after " + std::to_string(wait) + " µs");
  }
}

/// A file in memory, changed in place.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& contents) : descriptor_(::memfd_create("checkpoint", 0)) {
    EXPECT_EQ(::pwrite(descriptor_, contents.data(), contents.size(), 0), std::ssize(contents));
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  void put(size_t at, char byte) {
    EXPECT_EQ(::pwrite(descriptor_, &byte, 1, static_cast<off_t>(at)), 1);
  }
  void cut(size_t size) { EXPECT_EQ(::ftruncate(descriptor_, static_cast<off_t>(size)), 0); }

 private:
  int descriptor_;
};

bool refused(const std::string& path) {
  try {
    read_checkpoint_state(path);
  } catch (const Error&) {
    return true;
  }
  return false;
}

std::string small_checkpoint() {
  const test::TemporaryFolder folder;
  Saver saver;
  saver.save(folder.path().string(), 3);
  return test::read_all(Saver::path(folder.path().string(), 3));
}

// Data have their sums, and all between them has one (zip.h): no bit is without.
TEST(DamagedCheckpoint, EveryFlippedBitIsDetected) {
  constexpr int kFlips = 10'000;
  const std::string contents = small_checkpoint();
  MemoryFile file(contents);
  PhiloxStream random(11, 0);
  for (int i = 0; i < kFlips; ++i) {
    const size_t at = random.below(contents.size());
    const auto bit = static_cast<unsigned>(random.below(8));
    file.put(at, static_cast<char>(static_cast<unsigned char>(contents[at]) ^ 1U << bit));
    EXPECT_TRUE(refused(file.path())) << "bit " << bit << " of byte " << at;
    file.put(at, contents[at]);
  }
  EXPECT_FALSE(refused(file.path()));
}

TEST(DamagedCheckpoint, EveryTruncationIsDetected) {
  const std::string contents = small_checkpoint();
  PhiloxStream random(12, 0);
  MemoryFile file(contents);
  std::set<size_t, std::greater<>> sizes;  // from long to short, so that one file will do
  while (sizes.size() < 1'000) sizes.insert(random.below(contents.size()));
  for (const size_t size : sizes) {
    file.cut(size);
    EXPECT_TRUE(refused(file.path())) << size << " of " << contents.size() << " bytes";
  }
}

}  // namespace
}  // namespace bertha::train
