#pragma once

// The picture of a run: its loss curves as one SVG file that any browser shows.

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::runlog {

enum class LossKind : uint8_t { kTotal, kMaskedWords, kNextSentence };

struct LossPoint {
  double step = 0;
  double loss = 0;  ///< a point that is not finite leaves a gap
};

struct LossCurve {
  LossKind kind = LossKind::kTotal;
  bool held_out = false;          ///< drawn as points in the colour of its kind
  std::vector<LossPoint> points;  ///< by rising step
};

/// A stretch of the steps under a label of its own: "phase 1, length 128".
struct PhaseSpan {
  std::string label;
  double begin_step = 0;
  double end_step = 0;
};

/// A word at a step: what an evaluation gave.
struct PlotNote {
  double step = 0;
  std::string text;
};

struct LossPlot {
  std::string title;
  std::string subtitle;
  std::vector<LossCurve> curves;
  std::vector<PhaseSpan> phases;
  std::vector<PlotNote> notes = {};
  bool log_axis = false;  ///< losses on a logarithmic axis
};

/// The picture, 960 by 540. A long curve is drawn as the mean of a few hundred equal stretches,
/// with their least and greatest values as a pale band. Curves without a drawable point are left
/// out.
std::string loss_svg(const LossPlot& plot);

}  // namespace bertha::runlog
