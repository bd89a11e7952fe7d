#pragma once

// report.html: a run on one page that needs no other file and no network. It holds what the run
// said at its start and end, its curves, and tables.

#include <string>
#include <vector>

namespace bertha::runlog {

struct ReportTable {
  std::string title;
  std::vector<std::string> header;             ///< names of the columns; empty: none are shown
  std::vector<std::vector<std::string>> rows;  ///< plain text
};

struct RunReportPage {
  std::string title;               ///< "Pre-training, phase 1"
  std::string subtitle;            ///< the folder of the run
  std::vector<std::string> lines;  ///< sentences about the run, in plain text
  std::string picture;             ///< as loss_svg() makes it
  std::vector<ReportTable> tables;
};

/// The page. Tables without a row are left out.
std::string report_html(const RunReportPage& page);

}  // namespace bertha::runlog
