/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The retry rules for Pyroscope's /ingest. The server has no idempotency: it stores whatever
 * arrives, so a profile that may have been stored is given up, because a hole in a profile is
 * seen for what it is and doubled values are not. Called by the uploader. Context: AGENT.
 */
#include "agent/retry.h"

#include <string.h>

/* With the jitter of one half on top the longest wait is RETRY_LONGEST_S. */
#define BASE_LONGEST_S (RETRY_LONGEST_S * 2 / 3)
#define NS_PER_S 1000000000ull

enum retry_verdict retry_judge(const struct retry_outcome *outcome)
{
	long status = outcome->status;

	if (status == 0)
		return outcome->sent_whole ? RETRY_AMBIGUOUS : RETRY_LATER;
	if (status >= 200 && status < 300)
		return RETRY_STORED;
	if (status == 408 || status == 429 || status >= 500)
		return RETRY_LATER;
	/* Servers before 2.2 answer their rate limits with 422, as they do everything else. */
	if (status == 422 && strstr(outcome->body, "resource_exhausted"))
		return RETRY_LATER;
	return RETRY_REJECTED;
}

uint64_t retry_delay_ns(unsigned failures, uint32_t random)
{
	uint64_t base = RETRY_SHORTEST_S;
	uint64_t jitter;

	while (failures-- > 1 && base < BASE_LONGEST_S)
		base *= 2;
	if (base > BASE_LONGEST_S)
		base = BASE_LONGEST_S;
	base *= NS_PER_S;
	/* Agents of many machines lose one server at the same moment; they must not return so. */
	jitter = (base / 2 >> 16) * (random >> 16);
	return base + jitter;
}
