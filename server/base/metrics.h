/* base/metrics.h: counters, gauges and histograms, declared once in a table, counted per thread
 * without locks, summed when read. Prometheus text format 0.0.4. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stoa/str.h>

/* name, kind (COUNTER|GAUGE|HISTOGRAM of seconds), help */
#define METRICS(X)                                                                                 \
    X(connections_accepted_total, COUNTER, "Connections accepted")                                 \
    X(connections_open, GAUGE, "Connections open now")                                             \
    X(connections_refused_total, COUNTER, "Connections closed at once: a cap was reached")         \
    X(tls_handshakes_total, COUNTER, "TLS handshakes that ended well")                             \
    X(tls_refused_total, COUNTER, "TLS connections closed at once: their address made too many")   \
    X(tls_waits_total, COUNTER, "Times when a loop let TLS connections wait: too many at once")    \
    X(tls_failures_total, COUNTER, "Connections that ended before their TLS handshake did")        \
    X(certificate_seconds_left, GAUGE,                                                             \
      "Until the first certificate of this node expires, negative after it; 0 without any")        \
    X(connections_stalled_total, COUNTER, "Connections cut: the client does not read")             \
    X(requests_total, COUNTER, "Requests answered")                                                \
    X(requests_in_flight, GAUGE, "Requests being worked on now")                                   \
    X(requests_shed_total, COUNTER, "Requests answered 503: a limit was reached")                  \
    X(requests_refused_total, COUNTER, "Requests refused by the framing guard")                    \
    X(requests_unparsed_total, COUNTER, "Connections closed with a bare 400 by the HTTP parser")   \
    X(requests_abandoned_total, COUNTER, "Requests whose client left first")                       \
    X(responses_5xx_total, COUNTER, "Answers with a status of 500 or more")                        \
    X(requests_unidentified_total, COUNTER,                                                        \
      "Requests served as a guest's: nobody could say whose")                                      \
    X(rate_limited_total, COUNTER, "Requests answered 429")                                        \
    X(request_seconds, HISTOGRAM, "Time from request to reply")                                    \
    X(fibers_live, GAUGE, "Fibers with a stack in use")                                            \
    X(sql_statements_total, COUNTER, "SQL statements executed")                                    \
    X(sql_errors_total, COUNTER, "SQL statements that failed")                                     \
    X(sql_reconnects_total, COUNTER, "Connections to a database opened again")                     \
    X(sql_seconds, HISTOGRAM, "Time of one SQL statement, waiting included")                       \
    X(pool_rejected_total, COUNTER, "Blocking work refused: its queue was full")                   \
    X(cache_hits_total, COUNTER, "Cache reads that found something")                               \
    X(cache_misses_total, COUNTER, "Cache reads that found nothing")                               \
    X(cache_bytes, GAUGE, "Bytes held by caches")                                                  \
    X(events_relayed_total, COUNTER, "Events delivered to a subscriber")                           \
    X(events_retried_total, COUNTER, "Deliveries that failed and will be tried again")             \
    X(events_dead_total, COUNTER, "Deliveries given up after the last try")                        \
    X(events_refused_total, COUNTER, "Events past plugins.*.events")                               \
    X(outbox_pending, GAUGE, "Events not yet delivered to every subscriber")                       \
    X(jobs_run_total, COUNTER, "Runs of periodic jobs")                                            \
    X(jobs_failed_total, COUNTER, "Runs of periodic jobs that failed")                             \
    X(audit_findings, GAUGE, "Broken invariants found by the last audit")                          \
    X(audit_runs_total, COUNTER, "Audits done")                                                    \
    X(mails_sent_total, COUNTER, "Mails handed over")                                              \
    X(applies_total, COUNTER, "Worlds that were put in force after the first")                     \
    X(applies_failed_total, COUNTER, "Applies that changed nothing: a step failed")                \
    X(requests_cut_total, COUNTER,                                                                 \
      "Requests of a replaced world that were not over in limits.retire")                          \
    X(plugin_trials_total, COUNTER,                                                                \
      "Plugins loaded in a process of their own before they were in")                              \
    X(worlds_alive, GAUGE, "The world in force, and those whose requests are not over")            \
    X(grants_denied_total, COUNTER, "Effects refused: the plugin was not granted them")            \
    X(sandbox_deaths_total, COUNTER, "Sandboxes that ended before they were told to")              \
    X(sandbox_replays_total, COUNTER, "Requests run again on a fresh sandbox")                     \
    X(loop_stalls_total, COUNTER, "Times a plugin kept a loop busy for more than 100 ms")          \
    X(peer_calls_total, COUNTER, "Calls to other nodes")                                           \
    X(peer_failures_total, COUNTER, "Tries that another node did not answer")                      \
    X(peer_retries_total, COUNTER, "Calls to other nodes tried again")                             \
    X(peer_retries_refused_total, COUNTER, "Retries that the budget did not allow")                \
    X(peer_breaker_opened_total, COUNTER, "Times that a node was left alone for not answering")    \
    X(peer_call_seconds, HISTOGRAM, "Time of one call to another node, retries included")          \
    X(peer_served_total, COUNTER, "Calls of other nodes done here")                                \
    X(peer_refused_total, COUNTER, "Calls refused: not signed by a node of this cluster")          \
    X(peer_drops_lost_total, COUNTER, "Dropped cache tags that another node was not told")         \
    X(log_lines_lost_total, COUNTER, "Log lines dropped: the reader did not keep up")

enum metric {
#define X(name, kind, help) METRIC_##name,
    METRICS(X)
#undef X
        METRIC_COUNT
};

void metric_add(enum metric metric, int64_t delta); /* counter or gauge; any thread; no lock */
/* gauge: of this thread; what is told is the sum over all threads. One that several threads set is
 * changed by metric_add(). */
void metric_set(enum metric metric, int64_t value);
void metric_observe_us(enum metric metric, int64_t microseconds);
int64_t metric_value(enum metric metric); /* sum over threads; a histogram's count */
void metrics_format(struct stoa_buf *out);

#endif
