// WCAG AA: every visible text with less than 4.5 to 1 against its ground (3 to 1 for large text), as the browser paints it:
// half-transparent grounds are laid over each other, and the opacity of what is around thins the ink.
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, below, opacity = 1) => {
    const a = top[3] * opacity;
    return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(1);
  };
  const ground = (element) => {
    if (!element) return rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "black" : "white");
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(element.parentElement));
  };
  const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1);
  const channel = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ratio = (element, ink) => {
    const below = ground(element), [a, b] = [light(over(rgba(ink), below, opacity(element))), light(below)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const needed = ({ fontSize, fontWeight }) => {
    const px = parseFloat(fontSize);
    return px >= 24 || (px >= 18.66 && fontWeight >= 700) ? 3 : 4.5;
  };
  const texts = [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true }))
    .filter((e) => !e.closest(".visually-hidden, dialog, .sb-skip, option, svg, :disabled"));
  const judged = [];
  for (const e of texts) {
    const style = getComputedStyle(e), own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const typed = e.matches("input:not([type=radio], [type=checkbox], [type=hidden]), textarea, select");
    const ink = e.placeholder && !e.value ? getComputedStyle(e, "::placeholder").color : style.color;
    if (own || typed) judged.push([e, ratio(e, ink), needed(style)]);
  }
  return judged
    .filter(([, has, needs]) => has < needs)
    .map(([e, has]) => `${e.tagName}.${e.className} ${has.toFixed(2)}: ${(e.textContent || e.placeholder || e.value).trim().slice(0, 30)}`);
}
