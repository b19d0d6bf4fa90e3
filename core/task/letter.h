/*
 * One dead letter (see dead_letter.h): its bytes and headers. A letter is a
 * record in a batch of its own, ready for the producer (out of every cell); its
 * reason is the place of the record it is about. Internal to core/task.
 *
 * The task's thread.
 */
#ifndef TG_TASK_LETTER_H
#define TG_TASK_LETTER_H
#include "task/dead_letter.h"

/* Most headers that the letter about this record needs; reads the record's. */
uint32_t tg__letter_headers(tg_record *original);
/* Fills a letter with room for so many headers. All bytes are copied. */
void tg__letter_write(const tg_task *task, bool context, tg_record *letter,
                      const tg_record *rec, tg_record *original,
                      const tg_error_stage *stage);
/* The last header is a stack trace. */
bool tg__letter_has_trace(const tg_record *letter);
/* A letter like another with the first headers of it. */
void tg__letter_copy(tg_record *letter, const tg_record *old, uint32_t headers);

#endif
