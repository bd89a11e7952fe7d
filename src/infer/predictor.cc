#include "infer/predictor.h"

namespace bertha::infer {

Predictor::Predictor(Device& device, const bert::BatchLimits& limits)
    : device_(device), batch_(device, limits) {}

void Predictor::run(const RaggedBatch& batch, const Body& body) {
  const bert::EncoderInputs inputs = batch_.upload_tokens(batch);
  Arena measure;
  Context dry(device_, measure);
  body(dry, inputs);
  if (!arena_ || arena_->capacity_bytes() < measure.peak_bytes()) {
    arena_.reset();
    arena_.emplace(device_, measure.peak_bytes());
  }
  arena_->rewind(0);
  Context context(device_, *arena_);
  body(context, inputs);
}

}  // namespace bertha::infer
