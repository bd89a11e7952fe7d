// Graphs, recipes and launches of the stand-in: a correct program, and each wrong program that it
// must find.

#include <cmath>
#include <cstring>
#include <thread>

#include "gaudi/standin_program.h"
#include "support/files.h"

namespace bertha::standin::test {
namespace {

const std::vector<std::byte> kNone;

/// y = x + x, with both tensors persistent.
struct Doubling {
  explicit Doubling(const Program& program, int32_t type = kGaudi2) : graph(program, type) {
    x = graph.persistent("x", kF32, {4});
    y = graph.persistent("y", kF32, {4});
    graph.node("add_fwd_f32", kNone, {x, x}, {y});
  }
  GraphBuilder graph;
  void* x = nullptr;
  void* y = nullptr;
};

const Array kOneToFour{.type = kF32, .sizes = {4}, .data = {1, 2, 3, 4}};

TEST(StandinGraph, CompilesWithoutADevice) {
  run_in_child({}, [] {
    const Library library;
    EXPECT_EQ(STANDIN_CALL(library, synInitialize)(), kSuccess);
    void* graph = nullptr;
    EXPECT_EQ(STANDIN_CALL(library, synGraphCreate)(&graph, kGaudi3), kSuccess);
    void* tensor = nullptr;
    EXPECT_EQ(STANDIN_CALL(library, synTensorHandleCreate)(&tensor, graph, kDataTensor, "x"),
              kSuccess);
    TensorGeometry geometry{.sizes = {7, 5, 3}, .rank = 3};
    EXPECT_EQ(STANDIN_CALL(library, synTensorSetGeometry)(tensor, &geometry, kMaximumSizes),
              kSuccess);
    std::vector<uint64_t> read_back(512 / 8, 0xA5A5A5A5A5A5A5A5);
    EXPECT_EQ(STANDIN_CALL(library, synTensorGetGeometry)(
                  tensor, reinterpret_cast<TensorGeometry*>(read_back.data()), kMaximumSizes),
              kSuccess);
    EXPECT_EQ(read_back[0], 7);
    EXPECT_EQ(read_back[2], 3);
    EXPECT_EQ(static_cast<uint32_t>(read_back[25]), 3);
    EXPECT_EQ(read_back[26], 0xA5A5A5A5A5A5A5A5);
  });
}

TEST(StandinLibrary, LacksASymbolInTheIncompleteBuild) {
  run_in_child({}, [] {
    const Library incomplete(STANDIN_INCOMPLETE_LIBRARY);
    EXPECT_EQ(incomplete.symbol("synLaunch"), nullptr);
    EXPECT_NE(incomplete.symbol("synInitialize"), nullptr);
    EXPECT_NE(Library().symbol("synLaunch"), nullptr);
  });
}

TEST(StandinGraph, TheOldLayoutOnRequest) {
  run_in_child({{"BERTHA_STANDIN_FAULT", "layout"}}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* tensor = nullptr;
    program.must(STANDIN_CALL(program.library(), synTensorHandleCreate)(&tensor, graph.handle(),
                                                                        kDataTensor, "x"));
    const uint32_t old[53] = {7, 5, 3, 0, 0, 3};
    program.must(STANDIN_CALL(program.library(), synTensorSetGeometry)(
        tensor, reinterpret_cast<const TensorGeometry*>(old), kMaximumSizes));
    uint32_t read_back[128] = {};
    program.must(STANDIN_CALL(program.library(), synTensorGetGeometry)(
        tensor, reinterpret_cast<TensorGeometry*>(read_back), kMaximumSizes));
    EXPECT_EQ(read_back[1], 5);
    EXPECT_EQ(read_back[5], 3);
  });
}

TEST(StandinGraph, RunsANode) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    void* const recipe = doubling.graph.compile();
    program.must(STANDIN_CALL(program.library(), synGraphDestroy)(doubling.graph.handle()));
    const uint64_t x = program.place(kOneToFour);
    const uint64_t y = program.device_memory(16);
    program.must(launch(program, program.stream(), recipe, {{"x", {4}, x}, {"y", {4}, y}}));
    EXPECT_EQ(program.fetch(kF32, 4, y), (std::vector<double>{2, 4, 6, 8}));
    // Addresses may change from launch to launch.
    const uint64_t z = program.device_memory(16);
    program.must(launch(program, program.stream(), recipe, {{"x", {4}, y}, {"y", {4}, z}}));
    EXPECT_EQ(program.fetch(kF32, 4, z), (std::vector<double>{4, 8, 12, 16}));
    EXPECT_EQ(STANDIN_CALL(program.library(), standin_broken_rules)(), 0);
  });
}

TEST(StandinGraph, ARecipeSurvivesAsAFile) {
  run_in_child({}, [] {
    const bertha::test::TemporaryFolder folder;
    const std::string file = folder.file("recipe");
    const Program program;
    const GraphBuilder graph(program);
    void* const two = graph.tensor("two", kF32, {1});
    const float value = 2.5;
    float copied = value;
    program.must(STANDIN_CALL(program.library(), synTensorSetHostPtr)(two, &copied, 4, kF32, true));
    copied = 0;
    void* const x = graph.persistent("x", kF32, {4});
    void* const y = graph.persistent("y", kF32, {4});
    graph.node("mult_fwd_f32", kNone, {x, two}, {y});
    program.must(
        STANDIN_CALL(program.library(), synRecipeSerialize)(graph.compile(), file.c_str()));
    void* recipe = nullptr;
    program.must(STANDIN_CALL(program.library(), synRecipeDeSerialize)(&recipe, file.c_str()));
    const uint64_t out = program.device_memory(16);
    program.must(launch(program, program.stream(), recipe,
                        {{"x", {4}, program.place(kOneToFour)}, {"y", {4}, out}}));
    EXPECT_EQ(program.fetch(kF32, 4, out), (std::vector<double>{2.5, 5, 7.5, 10}));
    std::ofstream(file) << "no recipe";
    program.expect_refusal(
        STANDIN_CALL(program.library(), synRecipeDeSerialize)(&recipe, file.c_str()),
        kInvalidArgument, "argument");
  });
}

TEST(StandinGraph, TheWorkspaceHoldsWhatHasNoSection) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* const x = graph.persistent("x", kF32, {4});
    void* const middle = graph.tensor("middle", kF32, {4});
    void* const y = graph.persistent("y", kF32, {4});
    graph.node("add_fwd_f32", kNone, {x, x}, {middle});
    graph.node("add_fwd_f32", kNone, {middle, x}, {y});
    void* const recipe = graph.compile();
    uint64_t size = 0;
    program.must(STANDIN_CALL(program.library(), synWorkspaceGetSize)(&size, recipe));
    EXPECT_EQ(size, 128);
    const std::vector<Bound> tensors = {{"x", {4}, program.place(kOneToFour)},
                                        {"y", {4}, program.device_memory(16)}};
    program.expect_refusal(launch(program, program.stream(), recipe, tensors), kInvalidArgument,
                           "workspace");
    program.expect_refusal(
        launch(program, program.stream(), recipe, tensors, program.device_memory(64)),
        kInvalidArgument, "workspace");
    program.must(launch(program, program.stream(), recipe, tensors, program.device_memory(128)));
    EXPECT_EQ(program.fetch(kF32, 4, tensors[1].address), (std::vector<double>{3, 6, 9, 12}));
  });
}

TEST(StandinGraph, OneProducerForATensor) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    program.expect_refusal(
        doubling.graph.try_node("mult_fwd_f32", kNone, {doubling.x, doubling.x}, {doubling.y}),
        kInvalidArgument, "one-producer");
    void* const z = doubling.graph.tensor("z", kI8, {4});
    program.expect_refusal(
        doubling.graph.try_node("dropout_fwd_f32", kNone, {doubling.x, doubling.x}, {z, z}),
        kInvalidArgument, "one-producer");
  });
}

TEST(StandinGraph, ATensorWithoutAProducer) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* const x = graph.tensor("x", kF32, {4});
    graph.node("add_fwd_f32", kNone, {x, x}, {graph.persistent("y", kF32, {4})});
    graph.expect_compile_refusal(kFail, "no-producer");
  });
}

TEST(StandinGraph, ACycle) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* const x = graph.tensor("x", kF32, {4});
    void* const y = graph.tensor("y", kF32, {4});
    graph.node("add_fwd_f32", kNone, {x, x}, {y});
    graph.node("add_fwd_f32", kNone, {y, y}, {x});
    graph.expect_compile_refusal(kFail, "cycle");
  });
}

TEST(StandinGraph, NamesAreUnique) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    graph.tensor("x", kF32, {4});
    void* second = nullptr;
    program.expect_refusal(STANDIN_CALL(program.library(), synTensorHandleCreate)(
                               &second, graph.handle(), kDataTensor, "x"),
                           kInvalidArgument, "tensor-name");
  });
}

TEST(StandinGraph, TensorsAreCompleteBeforeTheirNode) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* incomplete = nullptr;
    program.must(STANDIN_CALL(program.library(), synTensorHandleCreate)(&incomplete, graph.handle(),
                                                                        kDataTensor, "x"));
    program.expect_refusal(
        graph.try_node("sqrt_fwd_f32", kNone, {incomplete}, {graph.tensor("y", kF32, {4})}),
        kInvalidArgument, "tensor-incomplete");
  });
}

TEST(StandinGraph, Alignment) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    program.expect_refusal(graph.assign(graph.tensor("x", kF32, {4}), graph.section(), 64),
                           kInvalidArgument, "alignment");
    const Doubling doubling(program);
    void* const recipe = doubling.graph.compile();
    const uint64_t memory =
        program.place({.type = kF32, .sizes = {64}, .data = std::vector<double>(64, 1)});
    program.expect_refusal(launch(program, program.stream(), recipe,
                                  {{"x", {4}, memory + 16}, {"y", {4}, memory + 128}}),
                           kInvalidArgument, "alignment");
  });
}

TEST(StandinGraph, ASectionThatIsNotPersistent) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* const x = graph.persistent("x", kF32, {4}, graph.section(false));
    graph.node("add_fwd_f32", kNone, {x, x}, {graph.persistent("y", kF32, {4})});
    graph.expect_compile_refusal(kSectionValidation, "section");
  });
}

TEST(StandinGraph, Ranks) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* const x = graph.persistent("x", kF32, {2, 1, 1, 1, 1, 1});
    graph.node("add_fwd_f32", kNone, {x, x}, {graph.persistent("y", kF32, {2, 1, 1, 1, 1, 1})});
    graph.expect_compile_refusal(kFail, "rank");
  });
}

TEST(StandinGraph, Guids) {
  run_in_child({{"BERTHA_STANDIN_WITHOUT", "gelu_bwd,masked_batch_gemm"}}, [] {
    const Program program;
    for (const char* guid : {"add_fwd", "add_fwd_f33", "add_forward_f32", "gemm_f32",
                             "gelu_bwd_f32", "masked_batch_gemm"}) {
      const GraphBuilder graph(program);
      void* const x = graph.persistent("x", kF32, {4});
      graph.node(guid, kNone, {x, x}, {graph.persistent("y", kF32, {4})});
      graph.expect_compile_refusal(kFail, "guid");
    }
    // A GUID may be missing in the library: no rule is broken.
    EXPECT_EQ(STANDIN_CALL(program.library(), standin_broken_rules)(), 0);
  });
}

TEST(StandinGraph, MaskedBatchGemmOnTheFirstGeneration) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program, kGaudi);
    void* const x = graph.persistent("x", kF32, {2, 2, 1, 1});
    graph.node("masked_batch_gemm", parameters(false, false), {x, x, x, x},
               {graph.persistent("y", kF32, {2, 2, 1, 1})});
    graph.expect_compile_refusal(kFail, "guid");
  });
}

TEST(StandinGraph, OperandsAndParameters) {
  run_in_child({}, [] {
    const Program program;
    {
      const GraphBuilder graph(program);
      void* const x = graph.persistent("x", kBf16, {4});
      graph.node("sqrt_fwd_f32", kNone, {x}, {graph.persistent("y", kF32, {4})});
      graph.expect_compile_refusal(kFail, "operands");
    }
    {
      const GraphBuilder graph(program);
      void* const x = graph.persistent("x", kF32, {4});
      graph.node("softmax_fwd_f32", parameters(int64_t{0}), {x},
                 {graph.persistent("y", kF32, {4})});
      graph.expect_compile_refusal(kFail, "parameters");
    }
  });
}

TEST(StandinGraph, InPlaceNeedsAnExplicitOrder) {
  run_in_child({}, [] {
    const Program program;
    // before and after share memory; the reader of before has no order against the writer.
    const auto build = [&](bool ordered) {
      const GraphBuilder graph(program);
      void* const section = graph.section();
      void* const before = graph.persistent("before", kF32, {4}, section);
      void* const after = graph.persistent("after", kF32, {4}, section);
      void* const copy = graph.persistent("copy", kF32, {4});
      const uint64_t reader = graph.node("identity", kNone, {before}, {copy});
      const uint64_t writer = graph.node("add_fwd_f32", kNone, {before, before}, {after});
      if (ordered) {
        program.must(STANDIN_CALL(program.library(), synNodeDependencySet)(graph.handle(), &reader,
                                                                           &writer, 1, 1));
      }
      void* recipe = nullptr;
      const int32_t status = graph.try_compile(&recipe);
      if (!ordered) program.expect_refusal(status, kSectionValidation, "in-place-order");
      return recipe;
    };
    build(false);
    void* const recipe = build(true);
    const uint64_t memory = program.place(kOneToFour);
    const uint64_t copy = program.device_memory(16);
    program.must(launch(program, program.stream(), recipe,
                        {{"before", {4}, memory}, {"after", {4}, memory}, {"copy", {4}, copy}}));
    EXPECT_EQ(program.fetch(kF32, 4, memory), (std::vector<double>{2, 4, 6, 8}));
    EXPECT_EQ(program.fetch(kF32, 4, copy), kOneToFour.data);
  });
}

TEST(StandinGraph, InPlaceOverAPartOfTheMemory) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* const section = graph.section();
    void* const whole = graph.persistent("whole", kF32, {64}, section);
    void* const half = graph.persistent("half", kF32, {1}, section, 128);
    graph.node("reduce_sum_fwd_f32", parameters(uint32_t{0}), {whole}, {half});
    graph.expect_compile_refusal(kSectionValidation, "in-place-order");
  });
}

TEST(StandinGraph, ViewsOfAFlatBuffer) {
  run_in_child({}, [] {
    const Program program;
    const GraphBuilder graph(program);
    void* const section = graph.section();
    void* const x = graph.persistent("x", kF32, {4}, section, 0);
    void* const y = graph.persistent("y", kF32, {4}, section, 256);
    graph.node("add_fwd_f32", kNone, {x, x}, {y});
    void* const recipe = graph.compile();
    const uint64_t flat = program.device_memory(512);
    program.must(STANDIN_CALL(program.library(), synMemsetD32Async)(flat, 0x3F800000, 128,
                                                                    program.stream()));
    program.must(
        launch(program, program.stream(), recipe, {{"x", {4}, flat}, {"y", {4}, flat + 256}}));
    EXPECT_EQ(program.fetch(kF32, 5, flat + 256), (std::vector<double>{2, 2, 2, 2, 1}));
    program.expect_refusal(
        launch(program, program.stream(), recipe, {{"x", {4}, flat}, {"y", {4}, flat + 128}}),
        kPatching, "section-base");
  });
}

TEST(StandinLaunch, ListsEveryPersistentTensor) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    void* const recipe = doubling.graph.compile();
    const uint64_t x = program.place(kOneToFour);
    const uint64_t y = program.device_memory(16);
    program.expect_refusal(launch(program, program.stream(), recipe, {{"x", {4}, x}}),
                           kInvalidArgument, "persistent-tensors");
    program.expect_refusal(
        launch(program, program.stream(), recipe, {{"x", {4}, x}, {"y", {4}, y}, {"y", {4}, y}}),
        kInvalidArgument, "persistent-tensors");
    LaunchTensor stranger{.name = "z", .address = x, .type = 0, .sizes = {4}, .id = 1};
    program.expect_refusal(STANDIN_CALL(program.library(), synLaunch)(program.stream(), &stranger,
                                                                      1, 0, recipe, kTensorsByName),
                           kInvalidArgument, "persistent-tensors");
  });
}

TEST(StandinLaunch, ByName) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    void* const recipe = doubling.graph.compile();
    const uint64_t y = program.device_memory(16);
    const LaunchTensor tensors[] = {
        {.name = "y", .address = y, .type = 0, .sizes = {4}, .id = 0},
        {.name = "x", .address = program.place(kOneToFour), .type = 0, .sizes = {4}, .id = 0}};
    program.must(STANDIN_CALL(program.library(), synLaunch)(program.stream(), tensors, 2, 0, recipe,
                                                            kTensorsByName));
    EXPECT_EQ(program.fetch(kF32, 4, y), (std::vector<double>{2, 4, 6, 8}));
  });
}

TEST(StandinLaunch, SizesAreThoseOfTheGraph) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    const uint64_t x = program.place(kOneToFour);
    const uint64_t y = program.device_memory(16);
    program.expect_refusal(
        launch(program, program.stream(), doubling.graph.compile(), {{"x", {3}, x}, {"y", {4}, y}}),
        kInvalidArgument, "launch-sizes");
  });
}

TEST(StandinLaunch, MemoryThatNothingHasWritten) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    void* const recipe = doubling.graph.compile();
    const uint64_t x = program.device_memory(16);
    const uint64_t y = program.device_memory(16);
    const std::vector<Bound> tensors = {{"x", {4}, x}, {"y", {4}, y}};
    program.expect_refusal(launch(program, program.stream(), recipe, tensors), kFail,
                           "not-written");
    // Three quarters of it are not enough.
    program.must(STANDIN_CALL(program.library(), synMemsetD32Async)(x, 0, 3, program.stream()));
    program.expect_refusal(launch(program, program.stream(), recipe, tensors), kFail,
                           "not-written");
    program.must(
        STANDIN_CALL(program.library(), synMemsetD32Async)(x + 12, 0, 1, program.stream()));
    program.must(launch(program, program.stream(), recipe, tensors));
    program.must(program.wait(program.stream()));
  });
}

TEST(StandinLaunch, SectionsThatOverlap) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    const uint64_t x = program.place(kOneToFour);
    program.expect_refusal(
        launch(program, program.stream(), doubling.graph.compile(), {{"x", {4}, x}, {"y", {4}, x}}),
        kPatching, "sections-overlap");
  });
}

TEST(StandinLaunch, ANeedForAnOrderBetweenStreams) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    void* const recipe = doubling.graph.compile();
    std::byte* const host = program.host_memory(16);
    std::memset(host, 0, 16);
    const uint64_t x = program.device_memory(16);
    const uint64_t y = program.device_memory(16);
    void* const copies = program.create_stream();
    program.must(program.to_device(copies, host, x, 16));
    const std::vector<Bound> tensors = {{"x", {4}, x}, {"y", {4}, y}};
    program.expect_refusal(launch(program, program.stream(), recipe, tensors), kFail,
                           "order-between-streams");
    void* const event = program.create_event();
    program.must(program.record(event, copies));
    program.must(program.wait_for(program.stream(), event));
    program.must(launch(program, program.stream(), recipe, tensors));
    program.expect_refusal(program.to_host(copies, y, host, 16), kFail, "order-between-streams");
    program.must(program.wait(program.stream()));
    program.must(program.to_host(copies, y, host, 16));
    program.must(program.wait(copies));
    EXPECT_EQ(from_bytes(kF32, host, 1)[0], 0);
  });
}

TEST(StandinLaunch, ARecipeOfAnotherDeviceType) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program, kGaudi3);
    const uint64_t x = program.place(kOneToFour);
    const uint64_t y = program.device_memory(16);
    program.expect_refusal(
        launch(program, program.stream(), doubling.graph.compile(), {{"x", {4}, x}, {"y", {4}, y}}),
        kInvalidArgument, "device-type");
  });
}

TEST(StandinLaunch, DestroyedHandles) {
  run_in_child({}, [] {
    const Program program;
    const Doubling doubling(program);
    void* const recipe = doubling.graph.compile();
    program.must(STANDIN_CALL(program.library(), synRecipeDestroy)(recipe));
    uint64_t size = 0;
    program.expect_refusal(STANDIN_CALL(program.library(), synWorkspaceGetSize)(&size, recipe),
                           kInvalidArgument, "handle");
    void* second = nullptr;
    program.expect_refusal(doubling.graph.try_compile(&second), kInvalidArgument, "call-order");
    program.must(STANDIN_CALL(program.library(), synGraphDestroy)(doubling.graph.handle()));
    program.expect_refusal(
        STANDIN_CALL(program.library(), synTensorSetDeviceDataType)(doubling.x, kF32),
        kInvalidArgument, "handle");
  });
}

TEST(StandinLaunch, FaultsOnRequest) {
  run_in_child({{"BERTHA_STANDIN_FAULT", "compile=1,launch=1,device-lost=2"}}, [] {
    const Program program;
    const Doubling doubling(program);
    doubling.graph.expect_compile_refusal(kFail, "requested-fault");
    void* const recipe = doubling.graph.compile();
    const uint64_t x = program.place(kOneToFour);
    const uint64_t y = program.device_memory(16);
    const std::vector<Bound> tensors = {{"x", {4}, x}, {"y", {4}, y}};
    program.expect_refusal(launch(program, program.stream(), recipe, tensors), kSubmit,
                           "requested-fault");
    program.must(launch(program, program.stream(), recipe, tensors));
    program.must(program.wait(program.stream()));
    program.must(launch(program, program.stream(), recipe, tensors));
    program.expect_refusal(program.wait(program.stream()), kDeviceReset, "requested-fault");
    uint64_t address = 0;
    program.expect_refusal(
        STANDIN_CALL(program.library(), synDeviceMalloc)(program.device(), 128, 0, 0, &address),
        kDeviceReset, "requested-fault");
  });
}

TEST(StandinLaunch, ARunningLaunchHidesItsOutputs) {
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "100000"}, {"BERTHA_STANDIN_SEED", "3"}}, [] {
    const Program program;
    const Doubling doubling(program);
    const uint64_t y = program.device_memory(16);
    const std::vector<Bound> tensors = {{"x", {4}, program.place(kOneToFour)}, {"y", {4}, y}};
    program.must(launch(program, program.stream(), doubling.graph.compile(), tensors));
    std::byte* const host = program.host_memory(16);
    program.must(program.to_host(program.stream(), y, host, 16));
    EXPECT_TRUE(std::isnan(from_bytes(kF32, host, 4)[3]));
    program.must(program.wait(program.stream()));
    EXPECT_EQ(from_bytes(kF32, host, 4)[3], 8);
  });
}

TEST(StandinGraph, ThreadsBuildGraphsAtTheSameTime) {
  run_in_child({}, [] {
    const Program program;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          const Doubling doubling(program);
          doubling.graph.compile();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(STANDIN_CALL(program.library(), standin_broken_rules)(), 0);
  });
}

TEST(StandinReport, WritesOneLineThatNamesCallAndRule) {
  run_in_child({}, [] {
    const Program program;
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(program.wait(nullptr), kInvalidArgument);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(),
              "synapse stand-in: synStreamSynchronize: [handle] 0x0 is no stream\n");
  });
}

}  // namespace
}  // namespace bertha::standin::test
