#pragma once

// Tests of commands through their entry points, in a folder of their own.

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "support/files.h"

namespace bertha::test {

class CommandTest : public testing::Test {
 protected:
  using Command = int (*)(cli::Arguments);

  CommandTest() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  ~CommandTest() override { spdlog::set_default_logger(before_); }

  std::string path(const std::string& name) const { return folder_.file(name); }
  std::string text_of(const std::string& name) const { return read_all(path(name)); }
  std::string write(const std::string& name, const std::string& text) const {
    write_all(path(name), text);
    return path(name);
  }
  bool logged(const std::string& text) const { return log_.str().find(text) != std::string::npos; }

  /// What a command prints; it must end with status 0.
  std::string output_of(Command command, const std::vector<std::string>& arguments) const {
    testing::internal::CaptureStdout();
    int status = -1;
    try {
      status = command(arguments);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
    EXPECT_EQ(status, 0);
    return testing::internal::GetCapturedStdout();
  }
  /// The Error's line of a command that must fail.
  std::string error_of(Command command, const std::vector<std::string>& arguments) const {
    testing::internal::CaptureStdout();
    std::string what;
    try {
      command(arguments);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      what = error.what();
    }
    testing::internal::GetCapturedStdout();
    return what;
  }

 private:
  TemporaryFolder folder_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
};

/// The JSON of the last line that a command printed.
inline nlohmann::json last_line(const std::string& text) {
  const size_t begin = text.rfind('\n', text.size() - 2);
  return nlohmann::json::parse(text.substr(begin == std::string::npos ? 0 : begin + 1));
}

}  // namespace bertha::test
