#pragma once

// Downloads by libcurl. A file gets its name when it is complete and its checksum is correct. Until
// then it is `<name>.part`, which a later call continues.

#include <cstdint>
#include <functional>
#include <string>

namespace bertha::io {

struct DownloadOptions {
  int64_t stall_ms = 60000;      ///< time without a byte until the connection is closed
  int64_t connect_seconds = 30;  ///< limit for making a connection
  int64_t most_redirects = 8;
  int64_t attempts = 8;       ///< consecutive attempts without a new byte
  int64_t host_attempts = 4;  ///< the same while the host has no address: seven seconds in all
  int64_t retry_ms = 1000;    ///< wait before the next attempt, doubled each time up to a minute
  int64_t most_bytes = int64_t{1} << 40;
  /// Called with the reason of a failed attempt and the time until the next one; may be empty.
  std::function<void(const std::string& reason, int64_t wait_ms)> retrying = {};
};

/// Progress of a download.
struct DownloadProgress {
  int64_t bytes = 0;        ///< bytes of the file, including earlier calls
  int64_t total_bytes = 0;  ///< 0: the server does not send it
  int64_t new_bytes = 0;    ///< bytes received in this call
};

/// Downloads `url` (http or https) into `path` and creates the folder when it is missing. A
/// connection that breaks or stalls is continued where it ended if the server's file is still the
/// same (entity tag or modification time), else from the start. `expected_digest` is an md5, sha1
/// or sha256 checksum in hexadecimal digits, or empty. `progress` is called from time to time; when
/// it returns false the download stops with an Error and its part stays.
///
/// Throws Error with url and reason: unknown host (then with the path at which a file that was
/// fetched elsewhere is found), no such file, refused, too many redirects, stalled, cut off
/// too often, more or fewer bytes than the server announced, a wrong checksum (the part is then
/// removed), a full disk. An existing file is kept when its checksum is correct, and downloaded
/// again when it is wrong.
void download(const std::string& url, const std::string& path, const std::string& expected_digest,
              const DownloadOptions& options,
              const std::function<bool(const DownloadProgress&)>& progress);

/// Downloads a small text, for example a list of checksums, of at most `most_bytes`.
std::string download_text(const std::string& url, const DownloadOptions& options,
                          int64_t most_bytes);

}  // namespace bertha::io
