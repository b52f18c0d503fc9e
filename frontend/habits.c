/* Looks up words from elsewhere: see habits.h. */
#include "frontend/habits.h"
#include <stddef.h>
#include <string.h>

typedef struct {
    HabitPlace place;
    const char *word, *help;
} Habit;

static const Habit habits[] = {
#define HABIT(place, word, help) {HABIT_##place, word, help},
#include "frontend/habits.def"
#undef HABIT
};

const char *habit_help(HabitPlace place, const char *word) {
    for (size_t i = 0; i < sizeof habits / sizeof *habits; i++)
        if (habits[i].place == place && strcmp(habits[i].word, word) == 0) return habits[i].help;
    return NULL;
}
