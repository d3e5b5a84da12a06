/** A part of a URL with its `%XX` decoded; as it is when a `%` begins no character. */
export function decodeUrlPart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
