#pragma once

// The sub-commands of `bertha prepare`, one file each. A sub-command gets the words after its name
// and returns the exit status. All ranks call those that get a communicator; rank 0 prints.

#include <cstdint>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "comm/communicator.h"
#include "core/progress.h"
#include "prepare/download_stage.h"

namespace bertha::cli {

/// All stages in turn, or one action of bertPrep.py.
int run_prepare_all(Arguments arguments, comm::Communicator& world);
int run_prepare_text(Arguments arguments);
int run_prepare_extract(Arguments arguments);
int run_prepare_format(Arguments arguments);
int run_prepare_shard(Arguments arguments);
int run_prepare_instances(Arguments arguments, comm::Communicator& world);
int run_prepare_pack(Arguments arguments, comm::Communicator& world);
int run_prepare_verify(Arguments arguments, comm::Communicator& world);

// Shared by the sub-commands.

/// The stages, as commands of `bertha prepare`.
void declare_stages(Options& options);
/// "; did you mean NAME?" for a stage or corpus with a similar name, or an empty text.
std::string similar_stage(const std::string& typed);

/// Throws Error naming the option --`name` unless `threads` is in range.
void check_threads(const char* name, int64_t threads);

/// Opens a status line on standard error; what is counted is `unit` (empty: bytes). The line ends
/// when the function that is returned is destroyed. `quiet` shows nothing.
ReportProgress open_status_line(const std::string& label, const std::string& unit,
                                bool quiet = false);

/// Downloads with a status line for each file and prints the path of each. SIGINT and SIGTERM end
/// the download with an Error; the part that has been read stays for the next call.
void download_and_print(const prepare::DownloadOptions& options, bool quiet);

}  // namespace bertha::cli
