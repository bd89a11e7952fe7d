// The graphs of BERT as `bertha doctor --device gaudi` compiles them, by way of the stand-in
// (standin/README.md): that says nothing about SynapseAI's compiler.

#include "doctor/gaudi_graphs.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "backend/gaudi/synapse_library.h"
#include "bert/model_sizes.h"
#include "doctor/accelerator_checks.h"
#include "gaudi/standin_program.h"
#include "support/files.h"

namespace bertha::doctor {
namespace {

using standin::test::run_in_child;

gaudi::SynapseLibrary& library() {
  std::string why;
  gaudi::SynapseLibrary* const loaded = gaudi::process_library(&why);
  if (loaded == nullptr) fail("{}", why);
  return *loaded;
}

GaudiGraphs compile_tiny(gaudi::abi::DeviceType type, const std::string& folder = "") {
  return compile_bert(library(), type, bert::config_of_size("tiny", 1000), folder);
}

std::vector<std::string> digests_of(const GaudiGraphs& graphs) {
  std::vector<std::string> digests;
  for (const JobGraphs& job : graphs.jobs) {
    for (const gaudi::Compilation& graph : job.graphs) digests.push_back(graph.digest);
  }
  return digests;
}

TEST(CompiledGraphs, EveryJobCompilesWithoutADevice) {
  run_in_child({{"BERTHA_STANDIN_DEVICES", "0"}}, [] {
    const test::TemporaryFolder folder;
    const GaudiGraphs graphs = compile_tiny(gaudi::abi::kGaudi2, folder.path().string());
    ASSERT_EQ(graphs.jobs.size(), 6U);
    for (const JobGraphs& job : graphs.jobs) {
      EXPECT_EQ(job.error, "") << job.job;
      ASSERT_FALSE(job.graphs.empty()) << job.job;
      EXPECT_GT(job.memory.batches, 0) << job.job;
      EXPECT_LT(job.memory.batches, job.memory.parameters) << job.job;
      for (const gaudi::Compilation& graph : job.graphs) {
        EXPECT_GT(graph.nodes, 0) << graph.name;
        const std::string file = graph.digest + ".json";
        const auto has = std::ranges::any_of(
            std::filesystem::directory_iterator(folder.path()),
            [&](const auto& entry) { return entry.path().string().ends_with(file); });
        EXPECT_TRUE(has) << file;
      }
    }
    EXPECT_FALSE(graphs.candidates.empty());
  });
}

TEST(CompiledGraphs, AreEqualEachTime) {
  run_in_child({}, [] {
    EXPECT_EQ(digests_of(compile_tiny(gaudi::abi::kGaudi2)),
              digests_of(compile_tiny(gaudi::abi::kGaudi2)));
  });
}

TEST(CompiledGraphs, OtherWaysAreTakenWhereAKernelIsMissing) {
  run_in_child({{"BERTHA_STANDIN_WITHOUT", "layer_norm_fwd,layer_norm_bwd,gelu_fwd"}}, [] {
    const GaudiGraphs graphs = compile_tiny(gaudi::abi::kGaudi);
    for (const JobGraphs& job : graphs.jobs) EXPECT_EQ(job.error, "") << job.job;
    EXPECT_FALSE(graphs.candidates.empty());
    for (const auto& [what, chosen] : graphs.candidates) {
      EXPECT_NE(chosen, "layer_norm_fwd") << what;
      EXPECT_NE(chosen, "layer_norm_bwd") << what;
      EXPECT_NE(chosen, "gelu_fwd") << what;
      EXPECT_NE(chosen, "gelu_bwd") << what;
    }
  });
}

TEST(CompiledGraphs, AGraphThatIsRefusedIsAProblem) {
  run_in_child({{"BERTHA_STANDIN_WITHOUT", "gemm,batch_gemm"}}, [] {
    const std::vector<Fact> facts = facts_of_gaudi_graphs(bert::config_of_size("tiny", 1000), "");
    int64_t problems = 0;
    for (const Fact& fact : facts) {
      if (fact.name != "graphs") continue;
      ++problems;
      EXPECT_EQ(fact.state, State::kProblem);
      EXPECT_NE(fact.text.find("is refused by the compiler"), std::string::npos) << fact.text;
      EXPECT_NE(fact.text.find("alone it refuses node "), std::string::npos) << fact.text;
      EXPECT_NE(fact.text.find(", gemm of \"linear\", with the operands bf16 [128,"),
                std::string::npos)
          << fact.text;
    }
    EXPECT_EQ(problems, 3 * 6) << "each job on each kind of device";
  });
}

TEST(CompiledGraphs, MemoryIsListedByClass) {
  run_in_child({}, [] {
    const GaudiGraphs graphs = compile_tiny(gaudi::abi::kGaudi2);
    for (const JobGraphs& job : graphs.jobs) {
      const MemoryClasses& memory = job.memory;
      const bool trains = job.job.find("prediction") == std::string::npos;
      EXPECT_GT(memory.parameters, 0) << job.job;
      EXPECT_EQ(memory.moments, trains ? 2 * memory.parameters : 0) << job.job;
      EXPECT_EQ(memory.gradients, trains ? memory.parameters : 0) << job.job;
      EXPECT_EQ(memory.bf16_copies, trains ? memory.parameters / 2 : 0) << job.job;
      EXPECT_EQ(memory.activations > 0, trains) << job.job;
      EXPECT_GT(memory.temporaries, 0) << job.job;
    }
    for (const size_t job : {0U, 2U}) {
      EXPECT_LT(graphs.jobs[job + 1].memory.activations, graphs.jobs[job].memory.activations / 2)
          << graphs.jobs[job + 1].job;
    }
    // A mask of dropout has a byte for each score.
    const auto config = bert::config_of_size("tiny", 1000);
    EXPECT_GT(graphs.jobs[2].memory.host_operands,
              config.num_hidden_layers * config.num_attention_heads * 16 * 512 * 512);
  });
}

TEST(CompiledGraphs, AnAbsentLibraryIsAProblem) {
  run_in_child({{"BERTHA_LIBSYNAPSE", "/nowhere/libSynapse.so"}}, [] {
    const std::vector<Fact> facts = facts_of_gaudi_graphs(bert::config_of_size("tiny", 1000), "");
    ASSERT_EQ(facts.size(), 1U);
    EXPECT_EQ(facts[0].state, State::kProblem);
    EXPECT_NE(facts[0].text.find("/nowhere/libSynapse.so"), std::string::npos);
  });
}

TEST(CompiledGraphs, TheChecksOfADevicePass) {
  run_in_child({}, [] {
    for (const Fact& fact : facts_of_accelerator(*find_device("gaudi"))) {
      EXPECT_EQ(fact.state, State::kFine) << fact.name << ": " << fact.text;
    }
  });
}

}  // namespace
}  // namespace bertha::doctor
