#include "serve/http/access_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bertha::serve {
namespace {

AccessRecord sample() {
  AccessRecord record;
  record.request_id = "id-1";
  record.peer = "127.0.0.1";
  record.method = "POST";
  record.path = "/v1/answer";
  record.status = 200;
  record.body_bytes = 17;
  record.answer_bytes = 99;
  record.total_ms = 12.34;
  record.summary = {.route = "/v1/answer",
                    .model = "qa",
                    .items = 1,
                    .windows = 2,
                    .tokens = 300,
                    .tokenize_ms = 0.1,
                    .queue_ms = 1.25,
                    .compute_ms = 9.5};
  return record;
}

TEST(AccessLog, ALineSaysWhoWhatAndHowLong) {
  EXPECT_EQ(access_line(sample()),
            "POST /v1/answer 200 12.3 ms model=qa items=1 windows=2 tokens=300 queue=1.2 "
            "compute=9.5 in=17 out=99 peer=127.0.0.1 id=id-1");
}

TEST(AccessLog, BytesOfAPathCannotForgeALine) {
  AccessRecord record = sample();
  record.path = "/a\n2026 POST /b\x1b[31m\xc3\xa9";
  const std::string line = access_line(record);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("/a\\x0a2026\\x20POST\\x20/b\\x1b[31m\\xc3\\xa9 200"), std::string::npos);
}

TEST(AccessLog, ARefusalWithoutARequestHasALineToo) {
  AccessRecord record;
  record.status = 400;
  EXPECT_TRUE(access_line(record).starts_with("- - 400 0.0 ms in=0 out=0 peer=- id=-"));
}

TEST(AccessLog, TheJsonLineParses) {
  const auto line = nlohmann::json::parse(
      access_json(sample(), std::chrono::system_clock::time_point(std::chrono::seconds(0))));
  EXPECT_EQ(line["time"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(line["status"], 200);
  EXPECT_EQ(line["queue_ms"], 1.25);
  EXPECT_EQ(line["path"], "/v1/answer");
}

TEST(AccessLog, ProbesAreNotedOnlyWhenTheyFail) {
  AccessRecord record = sample();
  record.method = "GET";
  record.path = "/health";
  EXPECT_TRUE(is_probe(record));
  record.status = 503;
  EXPECT_FALSE(is_probe(record));
  EXPECT_FALSE(is_probe(sample()));
}

}  // namespace
}  // namespace bertha::serve
