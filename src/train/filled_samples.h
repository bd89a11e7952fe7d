#pragma once

#include <string>

#include "core/device.h"
#include "core/ragged_batch.h"
#include "runlog/run_report_page.h"

namespace bertha::train {

/// What the model in `folder` puts in the place of some [MASK] of a batch: a table of the text
/// around each, the word that stood there, and the model's. Throws Error when the folder holds no
/// model with a vocabulary.
runlog::ReportTable filled_samples(const std::string& folder, Device& device,
                                   const PretrainingBatch& batch);

}  // namespace bertha::train
