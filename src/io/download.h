#pragma once

// Files from the web, by libcurl. A file appears under its name when it is whole and its sum is
// right; until then it is `<name>.part`, from which a later call goes on.

#include <cstdint>
#include <functional>
#include <string>

namespace bertha::io {

struct DownloadOptions {
  int64_t stall_ms = 60000;      ///< without a byte: the connection is given up
  int64_t connect_seconds = 30;  ///< to get a connection
  int64_t most_redirects = 8;
  int64_t attempts = 8;     ///< in a row that bring no new byte
  int64_t retry_ms = 1000;  ///< before the next attempt, doubled each time up to a minute
  int64_t most_bytes = int64_t{1} << 40;
  /// Told why an attempt failed and how long it is until the next; may be empty.
  std::function<void(const std::string& reason, int64_t wait_ms)> retrying = {};
};

/// How far a download is.
struct DownloadProgress {
  int64_t bytes = 0;        ///< of the file, those of earlier calls too
  int64_t total_bytes = 0;  ///< 0: the server does not say
  int64_t new_bytes = 0;    ///< of this call
};

/// Gets `url` (http, https) into `path`, whose folder is made when missing. A connection that
/// breaks or stalls is taken up again where it ended, if the server's file is still the same
/// (entity tag or time of change), else from the start. `expected_digest` is an md5, sha1 or sha256
/// sum in hexadecimal digits, or empty. `progress` is called now and then; when it returns false
/// the download stops with an Error, and its part stays.
///
/// Throws Error with url and reason: no such file, refused, too many redirects, stalled, cut off
/// too often, more or fewer bytes than the server announced, a wrong sum (the part is then
/// removed), a full disk. A file that is there already is kept when its sum is right, and fetched
/// anew when it is wrong.
void download(const std::string& url, const std::string& path, const std::string& expected_digest,
              const DownloadOptions& options,
              const std::function<bool(const DownloadProgress&)>& progress);

/// A small text (a list of sums); at most `most_bytes`.
std::string download_text(const std::string& url, const DownloadOptions& options,
                          int64_t most_bytes);

}  // namespace bertha::io
