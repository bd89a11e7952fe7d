// Filling of masks.

#include <fmt/format.h>

#include "core/utf8.h"
#include "infer/fill.h"
#include "serve/prepared_request.h"
#include "serve/request_checks.h"
#include "text/piece_decoder.h"

namespace bertha::serve {
namespace {

constexpr int64_t kMostCandidates = 1000;                // of a mask
constexpr int64_t kMostResultBytes = int64_t{32} << 20;  // each candidate has the whole text

/// The ids of pieces, or of words that are one piece.
std::vector<int32_t> ids_of(const std::vector<std::string>& targets,
                            const text::Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (const std::string& target : targets) {
    const std::optional<int32_t> piece = tokenizer.vocabulary().find(target);
    std::vector<int32_t> encoded;
    if (!piece) tokenizer.encode(target, encoded);
    if (!piece && (encoded.size() != 1 || encoded[0] == tokenizer.specials().unk)) {
      refuse(ErrorKind::kInvalid, "targets",
             fmt::format("targets: \"{}\" is not a piece of the vocabulary", target));
    }
    ids.push_back(piece ? *piece : encoded[0]);
  }
  return ids;
}

struct FillWork {
  FillWork(const ServedModel& model, FillRequest from)
      : request(std::move(from)),
        tokenizer(model.tokenizer()),
        job(inputs(), tokenizer, model.config().max_tokens(), ids_of(request.targets, tokenizer)) {}

  std::vector<infer::FillRequest> inputs() const {
    std::vector<infer::FillRequest> all;
    for (const std::string& text : request.texts) {
      all.push_back({.text = text, .top = request.top});
    }
    return all;
  }
  /// The tokens with `id` in the place of mask number `mask`, decoded.
  std::string sequence(int64_t text, size_t mask, int32_t id, size_t masks) const {
    const std::span<const int32_t> from = job.ids(text);
    std::vector<int32_t> ids(from.begin(), from.end());
    const int32_t mask_id = tokenizer.specials().mask;
    size_t seen = 0;
    for (int32_t& at : ids) {
      if (at == mask_id && seen++ == mask) at = id;
    }
    return text::decode_pieces(tokenizer, ids, masks == 1);
  }
  std::vector<FillCandidate> candidates(int64_t text, size_t mask,
                                        const infer::FillResult& found) const {
    std::vector<FillCandidate> all;
    for (const infer::FillCandidate& candidate : found.masks[mask]) {
      check_finite(candidate.probability);
      all.push_back({.id = candidate.id,
                     .piece = std::string(candidate.piece),
                     .probability = candidate.probability,
                     .filled = candidate.filled,
                     .sequence = sequence(text, mask, candidate.id, found.masks.size())});
    }
    return all;
  }
  FillResult result() {
    FillResult result;
    for (size_t text = 0; text < job.results().size(); ++text) {
      const infer::FillResult& found = job.results()[text];
      auto& masks = result.texts.emplace_back();
      for (size_t mask = 0; mask < found.masks.size(); ++mask) {
        masks.push_back(candidates(static_cast<int64_t>(text), mask, found));
      }
    }
    return result;
  }
  /// Bytes of the candidates' texts, about.
  int64_t result_bytes() const {
    constexpr int64_t kOwn = 128;  // of a candidate without its texts
    int64_t bytes = 0;
    for (size_t i = 0; i < request.texts.size(); ++i) {
      bytes += job.size(static_cast<int64_t>(i)).rows * request.top *
               (2 * std::ssize(request.texts[i]) + kOwn);
    }
    return bytes;
  }

  FillRequest request;
  const text::Tokenizer& tokenizer;
  infer::FillJob job;
};

}  // namespace

PreparedRequest<FillResult> prepare(const ServedModel& model, FillRequest request,
                                    const ServiceLimits& limits) {
  check_count("texts", request.texts.size(), limits);
  check_range("top", request.top, 1, kMostCandidates);
  check_range("targets", std::ssize(request.targets), 0, kMostCandidates);
  PreparedRequest<FillResult> prepared;
  for (const std::string& text : request.texts) {
    prepared.work.characters += count_code_points(text);
  }
  const auto work =
      checked("text", [&] { return std::make_shared<FillWork>(model, std::move(request)); });
  if (work->result_bytes() > kMostResultBytes) {
    refuse(ErrorKind::kTooLarge, "top",
           "the candidates of all masks, each with its text, are too many");
  }
  prepared.job = std::shared_ptr<infer::WindowJob>(work, &work->job);
  prepared.finish = [work] { return work->result(); };
  return prepared;
}

}  // namespace bertha::serve
