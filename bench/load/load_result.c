/*
 * Copyright (C) The im authors
 *
 * The result of a run, as a line of JSON.
 */

#include <stdio.h>
#include <stdlib.h>

#include "load_result.h"


static void
load_result_hist(const char *name, const load_hist_t *h)
{
    printf(",\"%s\":{\"count\":%llu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,"
           "\"max\":%.1f,\"mean\":%.1f}", name, (unsigned long long) h->count,
           (double) load_hist_percentile(h, 500) / 1e3,
           (double) load_hist_percentile(h, 900) / 1e3,
           (double) load_hist_percentile(h, 990) / 1e3,
           (double) h->max / 1e3, (double) load_hist_mean(h) / 1e3);
}


static void
load_result_codes(const char *name, const load_code_t *codes)
{
    unsigned     i;
    const char  *comma;

    printf("\"%s\":{", name);
    comma = "";

    for (i = 0; i < LOAD_MAX_CODES && codes[i].count != 0; i++) {
        if (codes[i].code == 0) {
            printf("%s\"none\":%u", comma, codes[i].count);

        } else {
            printf("%s\"%u\":%u", comma, codes[i].code, codes[i].count);
        }

        comma = ",";
    }

    printf("}");
}


/* As a JSON string. */
static void
load_result_text(const char *name, const char *text)
{
    printf(",\"%s\":\"", name);

    for ( ; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            printf("\\%c", *text);

        } else if ((unsigned char) *text < ' ') {
            printf("\\u%04x", *text);

        } else {
            putchar(*text);
        }
    }

    printf("\"");
}


static void
load_result_counts(load_counts_t *to, const load_counts_t *from)
{
    to->deliveries += from->deliveries;
    to->bytes += from->bytes;
    to->others += from->others;
    load_hist_merge(&to->gap, &from->gap);
    load_hist_merge(&to->delivery, &from->delivery);
    load_hist_merge(&to->complete, &from->complete);
}


static void
load_result_merge(load_block_t *to, const load_block_t *from)
{
    unsigned  i;

    to->ready += from->ready;
    to->failed += from->failed;
    to->closed += from->closed;
    to->stalled_closed += from->stalled_closed;
    to->stalled_open += from->stalled_open;
    to->memory += from->memory;
    to->lost += from->lost;
    to->duplicated += from->duplicated;
    to->reordered += from->reordered;
    to->other_order += from->other_order;
    to->unknown += from->unknown;
    to->foreign += from->foreign;
    to->churned = from->churned;    /* there is one process then */

    if (from->connect_end > to->connect_end) {
        to->connect_end = from->connect_end;
    }

    for (i = 0; i < LOAD_MAX_CODES; i++) {
        if (from->statuses[i].count != 0) {
            load_shared_code(to->statuses, from->statuses[i].code,
                             from->statuses[i].count);
        }

        if (from->codes[i].count != 0) {
            load_shared_code(to->codes, from->codes[i].code,
                             from->codes[i].count);
        }

        if (from->stalled_codes[i].count != 0) {
            load_shared_code(to->stalled_codes, from->stalled_codes[i].code,
                             from->stalled_codes[i].count);
        }
    }

    load_hist_merge(&to->handshake, &from->handshake);
    load_hist_merge(&to->joined, &from->joined);
    load_result_counts(&to->warm, &from->warm);
    load_result_counts(&to->measured, &from->measured);

    if (to->error[0] == '\0') {
        load_shared_error(to, "%s", from->error);
    }
}


static void
load_result_connect(const load_run_t *run, const load_block_t *sum)
{
    double  seconds;

    seconds = sum->connect_end <= run->shared->connect_begin ? 0
              : (double) (sum->connect_end - run->shared->connect_begin) / 1e9;

    printf(",\"connect\":{\"ready\":%u,\"failed\":%u,\"seconds\":%.3f,"
           "\"rate\":%.0f,", sum->ready, run->options->clients - sum->ready,
           seconds, seconds > 0 ? sum->ready / seconds : 0);
    load_result_codes("statuses", sum->statuses);
    load_result_hist("handshake_us", &sum->handshake);
    load_result_hist("ready_us", &sum->joined);

    if (sum->error[0] != '\0') {
        load_result_text("error", sum->error);
    }

    printf("}");
}


static void
load_result_publish(const load_run_t *run, double seconds)
{
    const load_publisher_t  *p;

    p = &run->publisher;

    printf(",\"publish\":{\"seconds\":%.3f,\"published\":%llu,"
           "\"refused\":%llu,\"unanswered\":%llu,\"incomplete\":%llu,"
           "\"rate\":%.1f", seconds, (unsigned long long) p->counts.published,
           (unsigned long long) p->counts.refused,
           (unsigned long long) p->counts.unanswered,
           (unsigned long long) p->counts.incomplete,
           (double) p->counts.published / seconds);
    load_result_hist("accept_us", &p->counts.accept);

    if (p->error[0] != '\0') {
        load_result_text("error", p->error);
    }

    printf("}");
}


static void
load_result_deliveries(const load_block_t *sum, double seconds)
{
    printf(",\"deliveries\":%llu,\"per_second\":%.0f",
           (unsigned long long) sum->measured.deliveries,
           (double) sum->measured.deliveries / seconds);
    load_result_hist("delivery_us", &sum->measured.delivery);
    load_result_hist("complete_us", &sum->measured.complete);
    load_result_hist("quiet_gap_us", &sum->warm.gap);
    load_result_hist("gap_us", &sum->measured.gap);
    printf(",\"lost\":%llu,\"duplicated\":%llu,\"reordered\":%llu,"
           "\"other_order\":%llu,"
           "\"unknown\":%llu,\"foreign\":%llu,\"others\":%llu,"
           "\"bytes\":%llu",
           (unsigned long long) sum->lost,
           (unsigned long long) sum->duplicated,
           (unsigned long long) sum->reordered,
           (unsigned long long) sum->other_order,
           (unsigned long long) sum->unknown,
           (unsigned long long) sum->foreign,
           (unsigned long long) sum->measured.others,
           (unsigned long long) sum->measured.bytes);
    printf(",\"closed\":{\"clients\":%u,", sum->closed);
    load_result_codes("codes", sum->codes);
    printf("},\"stalled\":{\"clients\":%u,\"closed\":%u,\"open\":%u,",
           sum->stalled_closed + sum->stalled_open, sum->stalled_closed,
           sum->stalled_open);
    load_result_codes("codes", sum->stalled_codes);
    printf("}");
}


static void
load_result_probe(const load_probe_t *p)
{
    unsigned  i;

    static const char *const  names[] = { "connect", "publish" };

    printf(",\"probe\":{\"refused\":%llu", (unsigned long long) p->refused);

    for (i = 0; i < 2; i++) {
        printf(",\"%s\":{\"sent\":%llu,\"lost\":%llu", names[i],
               (unsigned long long) p->phases[i].sent,
               (unsigned long long) (p->phases[i].sent
                                     - p->phases[i].received));
        load_result_hist("us", &p->phases[i].us);
        printf("}");
    }

    if (p->error[0] != '\0') {
        load_result_text("error", p->error);
    }

    printf("}");
}


static void
load_result_bulk(const load_bulk_t *bulk)
{
    printf(",\"bulk\":{\"calls\":%llu,\"refused\":%llu",
           (unsigned long long) bulk->calls,
           (unsigned long long) bulk->refused);
    load_result_hist("us", &bulk->us);

    if (bulk->error[0] != '\0') {
        load_result_text("error", bulk->error);
    }

    printf("}");
}


static void
load_result_churn(const load_churned_t *churned)
{
    printf(",\"churn\":{\"came\":%llu,\"left\":%llu,\"cut\":%llu,"
           "\"hasty\":%llu,\"failed\":%llu,\"silent\":%llu}",
           (unsigned long long) churned->came,
           (unsigned long long) churned->left,
           (unsigned long long) churned->cut,
           (unsigned long long) churned->hasty,
           (unsigned long long) churned->failed,
           (unsigned long long) churned->silent);
}


static int
load_result_faults(const load_run_t *run, const load_block_t *sum)
{
    const load_probe_t      *probe;
    const load_published_t  *counts;

    probe = &run->probe;
    counts = &run->publisher.counts;

    return sum->ready != run->options->clients || sum->closed != 0
           || sum->lost != 0 || sum->duplicated != 0 || sum->reordered != 0
           || sum->unknown != 0 || sum->churned.failed != 0
           || sum->churned.silent != 0 || counts->refused != 0
           || counts->unanswered != 0 || counts->incomplete != 0
           || run->bulk.refused != 0 || probe->refused != 0
           || !load_probe_done(probe);
}


int
load_result_print(load_run_t *run)
{
    double                 seconds;
    unsigned               i;
    load_block_t          *sum;
    const double          *cpu;
    const load_options_t  *o;

    o = run->options;
    cpu = run->cpu;
    sum = calloc(1, sizeof(load_block_t));

    if (sum == NULL) {
        fputs("im_load: no memory for the result\n", stderr);
        return -1;
    }

    for (i = 0; i < o->processes; i++) {
        load_result_merge(sum, &run->shared->blocks[i]);
    }

    seconds = run->seconds;
    printf("{\"result\":{\"protocol\":\"%s\",\"clients\":%u,\"rooms\":%u,"
           "\"processes\":%u,\"bytes_per_client\":%.1f", o->proto->name,
           o->clients, o->rooms, o->processes,
           o->clients != 0 ? (double) sum->memory / o->clients : 0);
    load_result_connect(run, sum);
    load_result_publish(run, seconds);
    load_result_deliveries(sum, seconds);

    if (o->probe != 0) {
        load_result_probe(&run->probe);
    }

    if (o->bulk != 0) {
        load_result_bulk(&run->bulk);
    }

    if (o->churn != 0) {
        load_result_churn(&sum->churned);
    }

    printf(",\"own_cpu\":{\"start\":%.3f,\"connect\":%.3f,\"measured\":%.3f}}}"
           "\n", cpu[LOAD_MARK_START], cpu[LOAD_MARK_CONNECTED]
           - cpu[LOAD_MARK_START], run->cpu_end - cpu[LOAD_MARK_BEGIN]);

    i = load_result_faults(run, sum);
    free(sum);

    return i == 0 ? 0 : -1;
}
