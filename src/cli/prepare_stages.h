#pragma once

// The stages of `bertha prepare`, one file each. A stage gets the words after its name. Those that
// get a world are called by all of its ranks, which share the files out between them; rank 0
// prints.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "comm/communicator.h"
#include "corpus/sharding.h"
#include "text/tokenizer.h"

namespace bertha::cli {

/// All stages in turn, or an action of bertPrep.py.
int prepare_all(Arguments arguments, comm::Communicator& world);
int prepare_extract(Arguments arguments);
int prepare_format(Arguments arguments);
int prepare_instances(Arguments arguments, comm::Communicator& world);
int prepare_pack(Arguments arguments, comm::Communicator& world);
int prepare_verify(Arguments arguments, comm::Communicator& world);

int prepare_shard(Arguments arguments);

// Shared by the stages alone and all in turn.
/// Those of `count` things that fall to this rank: every so many-th.
std::vector<size_t> own_of(size_t count, const comm::Communicator& world);
/// Whole numbers of this rank become those of all.
void sum_counts(comm::Communicator& world, std::span<int64_t> counts);
/// Files in a folder by how their names begin and end, sorted; none where there is no folder.
std::vector<std::string> files_of(const std::string& folder, const std::string& prefix,
                                  const std::string& ending);
/// Also removes what a killed run left there half written.
void make_folder(const std::string& path);
/// Where the streams of a multistream dump begin, by `index` or the index beside the dump; nothing,
/// with a warning where an index does not fit, when there is none.
std::vector<int64_t> streams_of(const std::string& dump, std::string index, int64_t threads);
/// Of option `name`.
void check_threads(const char* name, int64_t threads);
/// "recipe" or "hf".
text::TokenRules parse_token_rules(const std::string& name);
void check_shard_options(const corpus::ShardOptions& options);
/// The line that is printed; warns where fewer shards were made than asked for.
std::string describe(const corpus::ShardTotals& totals, const corpus::ShardOptions& options);

}  // namespace bertha::cli
