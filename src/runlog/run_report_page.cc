#include "runlog/run_report_page.h"

#include <fmt/format.h>

#include <string_view>

#include "runlog/svg.h"

namespace bertha::runlog {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1f2933;--soft:#52606d;--line:#e4e7eb;--page:#fff;--row:#f5f7fa}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa5b1;--line:#3e4c59;--page:#1a2027;--row:#222b34}}
body{margin:0 auto;max-width:64rem;padding:2rem 1.25rem 4rem;background:var(--page);color:var(--ink);
font:16px/1.5 Inter,"Helvetica Neue",Helvetica,"DejaVu Sans",Arial,sans-serif}
h1{font-size:1.75rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
.folder{color:var(--soft);margin:.2rem 0 1.2rem;overflow-wrap:anywhere}
.lines p{margin:.25rem 0;overflow-wrap:anywhere}
figure{margin:1.5rem 0 0}figure svg{width:100%;height:auto;border-radius:8px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93rem}
th,td{text-align:left;padding:.35rem .7rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600}tr:nth-child(even) td{background:var(--row)}
)";

std::string row_of(const std::vector<std::string>& cells, std::string_view tag) {
  std::string row = "<tr>";
  for (const std::string& cell : cells) row += fmt::format("<{0}>{1}</{0}>", tag, escaped(cell));
  return row + "</tr>\n";
}

std::string table_of(const ReportTable& table) {
  std::string html =
      fmt::format("<h2>{}</h2>\n<div class=\"wide\"><table>\n", escaped(table.title));
  if (!table.header.empty()) html += "<thead>" + row_of(table.header, "th") + "</thead>\n";
  html += "<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) html += row_of(row, "td");
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string report_html(const RunReportPage& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
      "<p class=\"folder\">{2}</p>\n<div class=\"lines\">\n",
      escaped(page.title), kStyle, escaped(page.subtitle));
  for (const std::string& line : page.lines) html += fmt::format("<p>{}</p>\n", escaped(line));
  html += fmt::format("</div>\n<figure>\n{}</figure>\n", page.picture);
  for (const ReportTable& table : page.tables) {
    if (!table.rows.empty()) html += table_of(table);
  }
  return html + "</body>\n</html>\n";
}

}  // namespace bertha::runlog
