/** Whether a topic matches a filter with wildcards. Source: MQTT 3.1.1 §4.7. */
export function matchesFilter(filter: string, topic: string): boolean {
  return levelsMatch(levelsOf(filter), levelsOf(topic));
}

/** A filter or topic, taken apart once to be compared often. */
export function levelsOf(text: string): readonly string[] {
  return text.split("/");
}

export function levelsMatch(wanted: readonly string[], levels: readonly string[]): boolean {
  // Topics of the broker's own are not for wildcards [MQTT-4.7.2-1].
  if (levels[0]!.startsWith("$") && !wanted[0]!.startsWith("$")) return false;
  for (let i = 0; i < wanted.length; i++) {
    const level = wanted[i]!;
    if (level === "#") return true;
    if (i >= levels.length || (level !== "+" && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
