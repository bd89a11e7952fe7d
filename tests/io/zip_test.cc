#include "io/archive/zip.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/philox.h"
#include "core/thread_pool.h"
#include "damage.h"
#include "io/archive/crc32.h"
#include "io/byte_order.h"
#include "support/files.h"

namespace bertha::io {
namespace {

using test::read_all;
using test::TemporaryFolder;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Every name with its data.
std::string fingerprint(const std::string& path) {
  const MappedFile file(path);
  const ZipReader zip(file);
  std::string text;
  std::vector<std::byte> buffer;
  for (const ZipEntry& entry : zip.entries()) {
    text += entry.name + "=" + text_of(zip.read(entry, buffer)) + ";";
  }
  return text;
}

std::string error_of(const std::string& path) {
  try {
    fingerprint(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void write_archive(const std::string& path, uint64_t zip64_from = 0xffffffffU) {
  AtomicFile file(path);
  ZipWriter zip(file, zip64_from);
  zip.add("a/one", "first");
  zip.add("a/empty", "");
  zip.add("a/two", std::string(100, 'x'));
  zip.finish();
  file.commit();
}

const std::string kContents = "a/one=first;a/empty=;a/two=" + std::string(100, 'x') + ";";

TEST(Zip, EntriesRoundTrip) {
  const TemporaryFolder folder;
  write_archive(folder.file("a.zip"));
  EXPECT_EQ(fingerprint(folder.file("a.zip")), kContents);
  const MappedFile file(folder.file("a.zip"));
  const ZipReader zip(file);
  for (const ZipEntry& entry : zip.entries()) EXPECT_EQ(entry.data_offset % 64, 0U);
}

TEST(Zip, LargeSizesUseZip64Records) {
  const TemporaryFolder folder;
  for (const uint64_t from : {1U, 6U, 64U, 200U}) {
    write_archive(folder.file("a.zip"), from);
    EXPECT_EQ(fingerprint(folder.file("a.zip")), kContents) << from;
  }
}

TEST(Zip, ManyEntriesRoundTrip) {
  const TemporaryFolder folder;
  constexpr int kCount = 65'600;
  AtomicFile file(folder.file("a.zip"));
  ZipWriter zip(file);
  for (int i = 0; i < kCount; ++i) zip.add(std::to_string(i), std::to_string(-i));
  zip.finish();
  file.commit();
  const MappedFile mapped(folder.file("a.zip"));
  const ZipReader reader(mapped);
  ASSERT_EQ(reader.entries().size(), static_cast<size_t>(kCount));
  std::vector<std::byte> buffer;
  EXPECT_EQ(text_of(reader.read(*reader.find("65599"), buffer)), "-65599");
  EXPECT_EQ(reader.find("65600"), nullptr);
}

TEST(Zip, DamageIsDetected) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.zip");
  // Names have no checksum: read the expected names and their data.
  const auto reader = [](const std::string& damaged) {
    const MappedFile file(damaged);
    const ZipReader zip(file);
    std::string text;
    std::vector<std::byte> buffer;
    for (const char* name : {"a/one", "a/empty", "a/two"}) {
      const ZipEntry* entry = zip.find(name);
      if (entry == nullptr) fail("{}: no entry {}", damaged, name);
      text += text_of(zip.read(*entry, buffer)) + ";";
    }
    return text;
  };
  for (const uint64_t from : {uint64_t{1}, uint64_t{1} << 40}) {
    write_archive(path, from);
    check_damaged(read_all(path), "damaged.zip", reader, test::Promise::kError);
  }
}

TEST(Zip, OnlyACommentOfTheRightLengthIsAChecksum) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.zip");
  write_archive(path);
  const std::string contents = read_all(path);
  const size_t ours = contents.rfind("bertha crc32 ");
  ASSERT_NE(ours, contents.npos);
  const auto with_comment = [&](const std::string& comment) {
    std::string changed = contents.substr(0, ours - 2);
    store(changed, static_cast<uint16_t>(comment.size()));
    test::write_all(path, changed + comment);
    return error_of(path);
  };
  EXPECT_EQ(with_comment(""), "");
  EXPECT_EQ(with_comment("made by hand"), "");
  EXPECT_EQ(with_comment(contents.substr(ours)), "");
  EXPECT_NE(with_comment("another 21 bytes long").find("its comment has another"),
            std::string::npos);
}

/// An archive of one or two entries in which every number of the records can be wrong.
struct Raw {
  struct Entry {
    std::string name = "data";
    std::string data = "hello";
    uint16_t method = 0;
    uint16_t flags = 0;
    uint32_t size = 5;
    uint32_t offset = 0;  ///< of the local header, as stated in the directory
    std::string local_name = "data";
    std::optional<uint32_t> local_crc;  ///< the correct CRC unless set
  };
  std::vector<Entry> entries = {{}};
  uint16_t count = 1;

  std::string bytes() const {
    std::string out;
    for (const Entry& entry : entries) {
      store(out, uint32_t{0x04034b50});
      for (const int field : {20, int{entry.flags}, int{entry.method}, 0, 0}) {
        store(out, static_cast<uint16_t>(field));
      }
      const uint32_t crc = crc32(std::as_bytes(std::span(entry.data)));
      store(out, entry.local_crc.value_or(crc));
      store(out, static_cast<uint32_t>(entry.data.size()));
      store(out, entry.size);
      store(out, static_cast<uint16_t>(entry.local_name.size()));
      store(out, uint16_t{0});
      out += entry.local_name + entry.data;
    }
    const auto start = static_cast<uint32_t>(out.size());
    for (const Entry& entry : entries) {
      store(out, uint32_t{0x02014b50});
      for (const int field : {20, 20, int{entry.flags}, int{entry.method}, 0, 0}) {
        store(out, static_cast<uint16_t>(field));
      }
      store(out, crc32(std::as_bytes(std::span(entry.data))));
      store(out, static_cast<uint32_t>(entry.data.size()));
      store(out, entry.size);
      store(out, static_cast<uint16_t>(entry.name.size()));
      for (int i = 0; i < 4; ++i) store(out, uint16_t{0});
      store(out, uint32_t{0});
      store(out, entry.offset);
      out += entry.name;
    }
    const auto size = static_cast<uint32_t>(out.size()) - start;
    store(out, uint32_t{0x06054b50});
    store(out, uint32_t{0});
    store(out, count);
    store(out, count);
    store(out, size);
    store(out, start);
    store(out, uint16_t{0});
    return out;
  }
};

void expect_refused(const Raw& raw, const std::string& reason) {
  const TemporaryFolder folder;
  test::write_all(folder.file("a.zip"), raw.bytes());
  const std::string message = error_of(folder.file("a.zip"));
  EXPECT_NE(message.find("a.zip: "), std::string::npos) << message;
  EXPECT_NE(message.find(reason), std::string::npos) << reason << ": " << message;
}

TEST(Zip, ConsistentArchiveIsRead) {
  const TemporaryFolder folder;
  test::write_all(folder.file("a.zip"), Raw().bytes());
  EXPECT_EQ(fingerprint(folder.file("a.zip")), "data=hello;");
}

TEST(Zip, UnsafeNamesAreRejected) {
  for (const std::string name : {"/etc/passwd", "../x", "a/../x", "a/..", "a\\b", ""}) {
    Raw raw;
    raw.entries[0].name = raw.entries[0].local_name = name;
    expect_refused(raw, "unsafe name");
  }
  Raw raw;
  raw.entries[0].name = raw.entries[0].local_name = std::string("a\0b", 3);
  expect_refused(raw, "unsafe name");
}

TEST(Zip, InconsistentRecordsAreRejected) {
  Raw raw;
  raw.entries[0].size = 6;
  expect_refused(raw, "two sizes of a stored entry");
  raw = {};
  raw.entries[0].flags = 1;
  expect_refused(raw, "encrypted");
  raw = {};
  raw.entries[0].method = 12;
  expect_refused(raw, "compression method");
  raw = {};
  raw.entries[0].local_crc = 1;
  expect_refused(raw, "another checksum");
  raw = {};
  raw.entries[0].local_name = "else";
  expect_refused(raw, "another name");
  raw = {};
  raw.entries[0].offset = 1;
  expect_refused(raw, "no local header");
  raw = {};
  raw.entries[0].offset = 0xfffffff0U;
  expect_refused(raw, "the file has");
  raw = {};
  raw.entries[0].size = 0xffffffffU;
  expect_refused(raw, "zip64");
  raw = {};
  raw.count = 2;
  expect_refused(raw, "directory");
  raw = {};
  raw.count = 60000;
  expect_refused(raw, "does not fit");
}

TEST(Zip, OverlappingAndDuplicateEntriesAreRejected) {
  Raw raw;
  raw.count = 2;
  raw.entries.push_back(raw.entries[0]);
  expect_refused(raw, "twice");
  raw.entries[1].name = "more";
  raw.entries[1].local_name = "more";
  raw.entries[0].data = std::string(100, 'x');
  raw.entries[0].size = 100;
  raw.entries[1].offset = 34 + 100;
  const TemporaryFolder folder;
  test::write_all(folder.file("a.zip"), raw.bytes());
  EXPECT_EQ(error_of(folder.file("a.zip")), "");
  // The data of the first entry holds a complete local header.
  Raw inner;
  inner.entries[0].name = inner.entries[0].local_name = "more";
  raw.entries[0].data = inner.bytes();
  raw.entries[0].size = static_cast<uint32_t>(raw.entries[0].data.size());
  raw.entries[1] = inner.entries[0];
  raw.entries[1].offset = 34;
  expect_refused(raw, "overlap");
}

std::string deflate(const std::string& text) {
  auto* compressor = libdeflate_alloc_compressor(9);
  std::string out(text.size() + 100, '\0');
  out.resize(
      libdeflate_deflate_compress(compressor, text.data(), text.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

TEST(Zip, ExpandingArchivesAreRejected) {
  Raw raw;
  raw.entries[0].method = 8;
  raw.entries[0].data = deflate("hello");
  raw.entries[0].size = 0xfffffffe;
  expect_refused(raw, "impossible size");
  raw.entries[0].size = 6;
  expect_refused(raw, "cannot be inflated");
  raw.entries[0].size = 4;
  expect_refused(raw, "cannot be inflated");
  raw.entries[0].data = std::string(3'000'000, 'x');
  raw.entries[0].size = 3'000'000'000;
  expect_refused(raw, "too large");
  // Each of two entries may be small enough while both together are too large.
  raw = {};
  raw.count = 2;
  raw.entries[0].method = 8;
  raw.entries[0].data = std::string(30'000, 'x');
  raw.entries[0].size = 20 << 20;
  raw.entries.push_back(raw.entries[0]);
  raw.entries[1].name = raw.entries[1].local_name = "more";
  raw.entries[1].offset = 34 + 30'000;
  expect_refused(raw, "too large");
}

TEST(Zip, FilesThatAreNotArchivesAreRejected) {
  const TemporaryFolder folder;
  for (const std::string& text :
       {std::string(), std::string("PK\3\4"), std::string(100'000, 'P')}) {
    test::write_all(folder.file("a.zip"), text);
    EXPECT_NE(error_of(folder.file("a.zip")).find("no end record"), std::string::npos);
  }
}

TEST(Crc32, EqualsThePublishedValue) {
  const std::string_view digits = "123456789";
  const auto bytes = std::as_bytes(std::span(digits));
  EXPECT_EQ(crc32(bytes), 0xcbf43926U);
  EXPECT_EQ(crc32(bytes.subspan(4), crc32(bytes.first(4))), 0xcbf43926U);
  EXPECT_EQ(crc32({}), 0U);
}

TEST(Crc32, DoesNotDependOnThreads) {
  std::vector<std::byte> data(5'000'003);
  PhiloxStream random(3, 0);
  for (std::byte& byte : data) byte = static_cast<std::byte>(random.below(256));
  uint32_t expected = 77;
  for (size_t at = 0; at < data.size(); at += 100'000) {  // too little for two
    expected =
        crc32(std::span(data).subspan(at, std::min<size_t>(100'000, data.size() - at)), expected);
  }
  for (const int threads : {1, 2, 3, 4}) {
    ThreadPool pool(threads);
    const PoolBinding binding(pool);
    EXPECT_EQ(crc32(data, 77), expected) << threads;
  }
}

}  // namespace
}  // namespace bertha::io
