/** Whether a topic matches a filter with wildcards. Source: MQTT 3.1.1 §4.7. */
export function matchesFilter(filter: string, topic: string): boolean {
  // Topics of the broker's own are not for wildcards [MQTT-4.7.2-1].
  if (topic.startsWith("$") && !filter.startsWith("$")) return false;
  const wanted = filter.split("/");
  const levels = topic.split("/");
  for (const [i, level] of wanted.entries()) {
    if (level === "#") return true;
    if (i >= levels.length || (level !== "+" && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
