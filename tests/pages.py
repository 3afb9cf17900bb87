"""What is wrong with a web page: functions in JavaScript that return a list of faults, for `page.evaluate`."""

# Faults of layout and of images.
FAULTS = """() => {
  const faults = [];
  const math = document.querySelectorAll("span.math, div.math");
  const typeset = [...math].filter((part) => part.querySelector("mjx-container"));
  if (typeset.length < math.length) faults.push(`${math.length - typeset.length} formulas are not typeset`);
  if (document.querySelector("[data-mjx-error], mjx-merror")) faults.push("a formula has an error");
  for (const image of document.images) {
    if (!image.getAttribute("alt")?.trim() || /\\.png$/.test(image.alt)) faults.push(`no alt: ${image.src.slice(-60)}`);
    if (image.complete && !image.naturalWidth) faults.push(`not loaded: ${image.src.slice(-60)}`);
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) faults.push(`${root.scrollWidth} pixels wide`);
  return faults;
}"""
# Serious barriers that axe-core finds.
AXE = """async (allColors) => {
  document.querySelectorAll("details").forEach((part) => (part.open = true));
  // Thousands of colored words of code take most of the time; one lesson is checked with them.
  if (!allColors) axe.configure({ rules: [{ id: "color-contrast", selector: ":not(.highlight *)" }] });
  const part = { include: [["html"]], exclude: [["mjx-container"]] }; // MathJax brings its own text for screen readers
  const found = await axe.run(part, { resultTypes: ["violations"], preload: false });
  const serious = found.violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
  return serious.map((v) => `${v.id}: ${v.nodes.length}, such as ${v.nodes[0].html.slice(0, 150)}`);
}"""
