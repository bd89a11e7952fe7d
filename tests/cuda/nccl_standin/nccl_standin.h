#pragma once

// What tests see of the stand-in for NCCL. Ranks are threads of one process.

#include <string>
#include <vector>

namespace bertha::test::nccl {

/// Forgets calls and graphs. No communicator may be in use.
void reset();
/// What was called since, as "all_reduce of 1000", in order over all ranks.
std::vector<std::string> calls();

/// From now on collectives are also recorded into a graph: as NCCL since 2.26, the end and the
/// abort of their communicator wait until drop_graphs().
void capture();
void drop_graphs();

/// What ncclGetVersion answers.
void set_version(int version);

}  // namespace bertha::test::nccl
