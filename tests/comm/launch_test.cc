#include "comm/launch.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "comm/mpi/mpi_library.h"
#include "core/error.h"

namespace bertha::comm {
namespace {

testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << '"' << part << "\" is not in: " << text;
}

std::map<std::string, std::string> variables;
std::string look_up(const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

TEST(Launch, LauncherIsFoundInTheEnvironment) {
  variables = {};
  EXPECT_FALSE(find_launch(look_up).with_others);
  variables = {{"OMPI_COMM_WORLD_SIZE", "1"}};
  EXPECT_FALSE(find_launch(look_up).with_others);
  variables = {{"OMPI_COMM_WORLD_SIZE", "8"}};
  EXPECT_TRUE(find_launch(look_up).with_others);
  variables = {{"PMI_SIZE", "32"}};
  EXPECT_EQ(find_launch(look_up).launcher, "PMI_SIZE");
  variables = {{"SLURM_STEP_NUM_TASKS", "4"}, {"PMIX_RANK", "0"}};
  EXPECT_TRUE(find_launch(look_up).with_others);
}

TEST(Launch, SingleRankOfMpirunInASlurmJobIsAlone) {
  variables = {{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"PMIX_RANK", "0"}};
  EXPECT_FALSE(find_launch(look_up).with_others);
  variables.erase("PMIX_RANK");
  EXPECT_FALSE(find_launch(look_up).with_others);
}

TEST(Launch, SrunTasksWithoutMpiAreRejected) {
  variables = {{"SLURM_STEP_NUM_TASKS", "4"}};
  EXPECT_THROW(find_launch(look_up), Error);
}

using Plugins = std::vector<std::string>;

TEST(MpiPlugins, OrderFollowsTheLauncher) {
  variables = {{"OMPI_COMM_WORLD_SIZE", "2"}, {"PMIX_RANK", "0"}};
  EXPECT_EQ(mpi_plugins_for(look_up), Plugins({"openmpi"}));
  variables = {{"MPI_LOCALNRANKS", "2"}, {"PMI_SIZE", "2"}};
  EXPECT_EQ(mpi_plugins_for(look_up), Plugins({"mpich"}));
  variables = {{"SLURM_STEP_NUM_TASKS", "2"}, {"PMI_SIZE", "2"}};
  EXPECT_EQ(mpi_plugins_for(look_up), Plugins({"mpich", "openmpi"}));
  variables = {{"SLURM_STEP_NUM_TASKS", "2"}, {"PMIX_RANK", "0"}};
  EXPECT_EQ(mpi_plugins_for(look_up), Plugins({"openmpi", "mpich"}));
}

TEST(MpiPlugins, VariableOverrulesTheLauncher) {
  variables = {{"OMPI_COMM_WORLD_SIZE", "2"}, {"BERTHA_MPI", "mpich"}};
  EXPECT_EQ(mpi_plugins_for(look_up), Plugins({"mpich"}));
}

TEST(MpiPlugins, ProblemNamesAMissingPlugin) {
  variables = {{"BERTHA_MPI", "/no/such/plugin.so"}};
  const MpiLibrary named = load_mpi(look_up);
  EXPECT_EQ(named.functions, nullptr);
  EXPECT_TRUE(contains(named.problem, "/no/such/plugin.so"));
  variables = {{"BERTHA_MPI", "unheard-of"}};
  EXPECT_TRUE(contains(load_mpi(look_up).problem, "bertha_mpi_unheard-of.so is not installed"));
}

TEST(MpiPlugins, OtherSharedLibraryIsRejected) {
  Dl_info library;
  ASSERT_NE(dladdr(reinterpret_cast<const void*>(&std::getenv), &library), 0);
  variables = {{"BERTHA_MPI", library.dli_fname}};
  const MpiLibrary found = load_mpi(look_up);
  EXPECT_EQ(found.functions, nullptr);
  EXPECT_TRUE(contains(found.problem, "is not a plugin for this version of Bertha"));
}

}  // namespace
}  // namespace bertha::comm
