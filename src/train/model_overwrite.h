#pragma once

// Whether a folder's model may be replaced: a fine-tuning replaces the one that the same command
// made, and no other without --overwrite.

#include <string>

#include "train/checkpoint.h"

namespace bertha::train {

/// Throws Error where the folder holds a model that a fine-tuning of other settings made, or
/// another program, and `overwrite` is false; and, in any case, where that model is `input`, the
/// weights to start from.
void check_model_overwrite(const std::string& folder, const std::string& input,
                           const Settings& settings, bool overwrite);

/// Writes what makes the model of a folder, before the model itself, for check_model_overwrite().
void write_run_settings(const std::string& folder, const Settings& settings);

}  // namespace bertha::train
