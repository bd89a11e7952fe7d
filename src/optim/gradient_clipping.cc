#include "optim/gradient_clipping.h"

namespace bertha::optim {

double update_clip_factor(double norm, double max_norm) {
  return max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
}

}  // namespace bertha::optim
