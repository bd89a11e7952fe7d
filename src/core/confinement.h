#pragma once

// What a process takes from itself before it reads requests or files of strangers, so that a defect
// that they find is worth less: from then on Linux refuses it, whatever code runs in the process.

#include <string>
#include <vector>

namespace bertha {

/// What a confined process may do with files beside reading them. Folders that do not exist give no
/// right.
struct FileRights {
  std::vector<std::string> socket_folders{};  ///< a socket can be made there
  std::vector<std::string> output_folders{};  ///< files and folders can be made and written there
};

/// Before threads start: no program can be started, and no file made, or opened for writing outside
/// /dev and the folders of `rights` (Landlock). Returns false, and changes nothing, where the
/// kernel does not offer it.
bool confine_files(const FileRights& rights);

/// For all threads, of which there may be some: no socket can be opened, bound or connected but
/// those that notify a service manager, and no system call of administration succeeds (seccomp).
/// Returns false where the kernel does not offer it.
bool confine_calls();

/// Whether this kernel offers the two.
bool can_confine_files();
bool can_confine_calls();

}  // namespace bertha
