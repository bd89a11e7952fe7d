#include "runlog/svg.h"

#include <fmt/format.h>

#include <iterator>

namespace bertha::runlog {
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

namespace {

std::string written(Svg::Attributes attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) {
    fmt::format_to(std::back_inserter(text), " {}=\"{}\"", name, escaped(value));
  }
  return text;
}

}  // namespace

SvgPath& SvgPath::line_to(Pixels point) {
  data_ += fmt::format("{}{:.1f} {:.1f}", data_.empty() ? "M" : "L", point.x, point.y);
  return *this;
}

SvgPath& SvgPath::close() {
  data_ += "Z";
  return *this;
}

Svg::Svg(Pixels size, Attributes attributes, std::string_view title, std::string_view style)
    : elements_(fmt::format(
          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\"{}>\n",
          size.x, size.y, written(attributes))) {
  if (!title.empty()) elements_ += fmt::format("<title>{}</title>\n", escaped(title));
  if (!style.empty()) elements_ += fmt::format("<style>{}</style>\n", escaped(style));
  elements_ += "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
}

void Svg::line(Pixels from, Pixels to, Attributes attributes) {
  elements_ += fmt::format("<line{} x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                           written(attributes), from.x, to.x, from.y, to.y);
}

void Svg::rectangle(Pixels corner, Pixels size, Attributes attributes) {
  elements_ +=
      fmt::format("<rect{} x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
                  written(attributes), corner.x, corner.y, size.x, size.y);
}

void Svg::circle(Pixels center, double radius, Attributes attributes) {
  elements_ += fmt::format("<circle{} cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"/>\n",
                           written(attributes), center.x, center.y, radius);
}

void Svg::path(const SvgPath& path, Attributes attributes) {
  elements_ += fmt::format("<path{} d=\"{}\"/>\n", written(attributes), path.data());
}

void Svg::text(Pixels at, std::string_view text, Attributes attributes) {
  elements_ += fmt::format("<text{} x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", written(attributes),
                           at.x, at.y, escaped(text));
}

void Svg::upright_text(Pixels at, std::string_view text, Attributes attributes) {
  elements_ += fmt::format("<text{} transform=\"translate({:.1f} {:.1f}) rotate(-90)\">{}</text>\n",
                           written(attributes), at.x, at.y, escaped(text));
}

}  // namespace bertha::runlog
