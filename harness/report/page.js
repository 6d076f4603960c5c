// Draws every figure that has data-plot from the Vega-Lite specification inside it. Colours come from the page's style sheet, so that
// light, dark and print agree with the text; without the library, or without scripts, the tables of the page stand on their own.
(() => {
  'use strict';
  if (typeof vegaEmbed === 'undefined') return;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const names = ['ink', 'soft', 'grid', 'line', 'simulated', 'measured', 'band', 'good', 'bad', 'page'];

  // "@ink" in a specification is the style sheet's --ink.
  const coloured = (text) => {
    const style = getComputedStyle(document.documentElement);
    return names.reduce((t, n) => t.replaceAll(`"@${n}"`, JSON.stringify(style.getPropertyValue(`--${n}`).trim())), text);
  };

  const config = () => JSON.parse(coloured(JSON.stringify({
    background: null, font: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif', aria: false,
    view: {stroke: null},
    axis: {labelColor: '@ink', titleColor: '@soft', titleFontWeight: 'normal', gridColor: '@grid', domainColor: '@line',
           tickColor: '@line', labelFontSize: 12, titleFontSize: 12, labelLimit: Math.min(260, innerWidth * 0.33)},
    legend: {labelColor: '@ink', titleColor: '@soft', labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal'},
    text: {color: '@ink'}, title: {color: '@ink'},
  })));

  const draw = async (figure) => {
    const target = figure.querySelector('.plot');
    try {
      const spec = JSON.parse(coloured(figure.querySelector('script[type="application/json"]').textContent));
      const view = await vegaEmbed(target, spec, {
        mode: 'vega-lite', renderer: 'svg', ast: true, config: config(), theme: dark.matches ? 'dark' : undefined,
        actions: {export: true, source: false, compiled: false, editor: false}, tooltip: {theme: dark.matches ? 'dark' : 'light'},
      });
      target.querySelector('svg').setAttribute('aria-hidden', 'true');
      figure.dataset.state = 'drawn';
      return view;
    } catch (error) {
      // Vega's failures are rejected promises: without this line the plot would be blank and the console quiet.
      figure.dataset.state = 'failed';
      target.className = 'failed';
      target.textContent = `This plot could not be drawn (${error.message}); its table is below.`;
      figure.querySelectorAll('details').forEach((d) => { d.open = true; });
      return null;
    }
  };

  const palette = () => { const style = getComputedStyle(document.documentElement); return names.map((n) => style.getPropertyValue(`--${n}`).trim()); };
  let painted = palette();
  let drawing = Promise.resolve();
  const drawAll = () => {
    drawing = drawing.then(async () => {
      painted = palette();
      for (const figure of document.querySelectorAll('figure[data-plot]')) {
        if (figure.view) figure.view.finalize();
        figure.view = await draw(figure);
      }
      document.documentElement.dataset.plots = 'done';
    });
  };
  drawAll();
  dark.addEventListener('change', drawAll);

  // Paper has colours of its own, and printing does not wait for plots to be drawn anew: their paint is exchanged where it stands.
  matchMedia('print').addEventListener('change', () => {
    const now = palette();
    for (const mark of document.querySelectorAll('figure[data-plot] svg *'))
      for (const paint of ['fill', 'stroke']) {
        const at = painted.indexOf(mark.getAttribute(paint));
        if (at >= 0) mark.setAttribute(paint, now[at]);
      }
    painted = now;
  });
})();
