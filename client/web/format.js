// Numbers as people read them. Every function takes null or undefined and says "–".

const NONE = "–";
const count = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const known = (value) => typeof value === "number" && Number.isFinite(value);

export const number = (value) => (known(value) ? count.format(value) : NONE);

export const rate = (value) => (known(value) ? value.toFixed(1) : NONE);

/** A duration given in milliseconds. */
export function duration(ms) {
  if (!known(ms)) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** A place in a stream given in seconds, as 1:02.5 or 3:04:05.0. */
export function streamTime(seconds) {
  if (!known(seconds)) return NONE;
  const tenths = Math.max(0, Math.round(seconds * 10));
  const rest = (tenths % 600) / 10;
  const minutes = Math.floor(tenths / 600);
  const tail = rest.toFixed(1).padStart(4, "0");
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}

export const timeOfDay = (date) => clock.format(date);

export const bytes = (value) => {
  if (!known(value)) return NONE;
  if (value < 1e6) return `${(value / 1e3).toFixed(0)} kB`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e9).toFixed(2)} GB`;
};
