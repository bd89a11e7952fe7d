#pragma once

// A plan as text with tables and bars for a terminal, and as JSON.

#include <string>

#include "plan/training_plan.h"

namespace bertha::plan {

/// `unicode`: bars are block characters, else letters.
std::string plan_text(const TrainingPlan& plan, bool unicode);

/// One object, without a line end.
std::string plan_json(const TrainingPlan& plan);

}  // namespace bertha::plan
