/* What to write here instead of words from PyTorch, NumPy and Python: habits.def, a row a word. */
#ifndef FRONTEND_HABITS_H
#define FRONTEND_HABITS_H

typedef enum {
    HABIT_NAME,
    HABIT_INDEX,
    HABIT_TENSOR,
    HABIT_MODEL,
    HABIT_OPTIMIZER,
    HABIT_DATASET,
    HABIT_LIST,
    HABIT_STRING,
    HABIT_ARGUMENT,
    HABIT_EXTRA,     /* the word is a builtin function with one argument too many */
    HABIT_MISSING,   /* the word is a builtin function without one that it needs */
    HABIT_PARAMETER, /* the answer is a parameter's name, not a help line */
    HABIT_TYPE,
    HABIT_MODULE,
    HABIT_STATEMENT,
    HABIT_WORD,
    HABIT_INFIX,
    HABIT_MEMBER
} HabitPlace;

/* A help line for `word` in that place, or NULL where it is nobody's habit. */
const char *habit_help(HabitPlace place, const char *word);

#endif
