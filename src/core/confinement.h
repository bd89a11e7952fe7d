#pragma once

// What a server takes from itself, so that a defect that a request finds is worth less: from then
// on Linux refuses it, whatever code runs in the process.

#include <string>

namespace bertha {

/// Before threads start: no program can be started, and no file made, or opened for writing outside
/// /dev (Landlock). A socket can be made in `socket_folder`; "": in none. Returns false, and
/// changes nothing, where the kernel does not offer it.
bool confine_files(const std::string& socket_folder);

/// When all models are ready, for all threads: no socket can be opened, bound or connected but
/// those that notify a service manager, and no system call of administration succeeds (seccomp).
/// Returns false where the kernel does not offer it.
bool confine_calls();

/// Whether this kernel offers the two.
bool can_confine_files();
bool can_confine_calls();

}  // namespace bertha
