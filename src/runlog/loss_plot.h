#pragma once

// The loss curves of a run as an SVG picture.

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::runlog {

enum class LossKind : uint8_t { kTraining, kMaskedWords, kNextSentence };

/// A step, or several that follow one another: then `step` and `loss` are means.
struct LossPoint {
  double step = 0;
  double loss = 0;  ///< a value that is not finite leaves a gap
  double least = loss;
  double greatest = loss;
  double steps = 1;
};

struct LossCurve {
  LossKind kind = LossKind::kTraining;
  bool held_out = false;          ///< drawn as points, in the colour of the kind
  std::vector<LossPoint> points;  ///< in ascending order of step
};

/// A range of steps with a label: "phase 1, length 128".
struct PhaseSpan {
  std::string label;
  double begin_step = 0;
  double end_step = 0;
};

/// The scores of evaluations, drawn over the losses on a scale of their own: from 0 to 1, or to 100
/// where one of them is above 1. Their values are written beside them.
struct ScoreCurve {
  std::string name;
  std::vector<LossPoint> points;  ///< in ascending order of step; `loss` is the score
};

struct LossPlot {
  std::string title;
  std::string subtitle;
  std::vector<LossCurve> curves;
  std::vector<PhaseSpan> phases;
  ScoreCurve scores = {};
  bool log_axis = false;  ///< losses on a logarithmic axis
};

/// The picture, 960 by 540 pixels. A long curve is cut into at most 200 equal sections. The line
/// shows their means, and a pale band their least and greatest values. Curves without a point that
/// can be drawn are left out.
std::string loss_svg(const LossPlot& plot);

}  // namespace bertha::runlog
