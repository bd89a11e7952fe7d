#pragma once

// Tables that users have: TSV as GLUE's tasks are published (no quotes), CSV (RFC 4180), JSON lines
// and JSON arrays. The name's ending and the contents decide which; ".gz" and ".bz2" are unpacked.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/problems.h"

namespace bertha::tasks {

enum class TableFormat : uint8_t { kTsv, kCsv, kJsonLines, kJson };

/// A field that is a list of texts, numbers or truth values, in JSON.
struct TableList {
  size_t column = 0;
  std::vector<std::string_view> items;
};

struct TableRow {
  int64_t number = 0;  ///< from 0; rows that are left out count, blank lines do not
  int64_t line = 0;    ///< from 1, where the row begins; for a JSON array the number of the row
  /// One a column. A field without data() is absent: its key is missing or null in JSON.
  std::vector<std::string_view> fields;
  std::vector<TableList> lists = {};  ///< their fields are absent
};

/// A table, with views into the text that it was read from and into `values`.
struct Table {
  TableFormat format = TableFormat::kTsv;
  std::vector<std::string> header;  ///< names of the columns; empty: the file has none
  std::vector<TableRow> rows;       ///< those with as many fields as the header or the first row
  Problems problems;                ///< rows that were left out
  std::vector<std::string> notes;   ///< what the reader found by look, for the log
  std::deque<std::string> values;   ///< fields that are not in the text as they are

  /// "line 7", or "row 7" of a JSON array.
  std::string place(const TableRow& row) const;
};

/// Parses UTF-8 text. `has_header` says whether the first line of TSV or CSV names the columns;
/// JSON names them in each row. Without a header the format is that of the ending. Throws Error
/// that names `path` and the line for a quote without end and for what is not JSON.
Table parse_table(std::string_view contents, const std::string& path, bool has_header);

}  // namespace bertha::tasks
