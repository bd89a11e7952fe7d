#pragma once

// Which kind of table a text is. For table_reader.cc only.

#include <string>
#include <string_view>
#include <vector>

#include "tasks/table/table_reader.h"

namespace bertha::tasks {

struct TableLook {
  TableFormat format = TableFormat::kTsv;
  char separator = '\t';
  std::vector<std::string> notes;  ///< where the look decided against or without the ending
};

/// Judges by the ending of `path` and by the beginning of `contents`.
TableLook look_at_table(std::string_view contents, const std::string& path, bool has_header);

}  // namespace bertha::tasks
