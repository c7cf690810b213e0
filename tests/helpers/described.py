"Schemas that say what each label means, in OneKE's form, and a record for each task."
DESCRIBED = {
    'NER': {'person': 'People by name.', 'city': {'description': 'Towns.', 'examples': ['Odda']}},
    'RE': {'founder': 'Who founded the subject.', 'owner of': ''},
    'EET': {'sale': 'Something is sold.', 'strike': 'Work stops.'},
    'EE': {'sale': {'sale': 'Something is sold.', 'trigger': True,
                    'arguments': {'buyer': 'Who pays.', 'price': ''}},
           'strike': {'arguments': ['place']}},
    'KG': [{'entity_type': 'person', 'attributes': {'born in': 'A place.', 'works as': ''}}]}
DESCRIBED['EEA'] = DESCRIBED['EE']
BOUGHT = {'event_type': 'sale', 'event_trigger': 'bought',
          'arguments': [{'role': 'buyer', 'argument': 'Ines'}]}
BORN = {'head': 'Ines', 'head_type': 'person', 'relation': 'born in', 'tail': 'Odda'}
RECORDS = {
    'NER': [{'text': 'Ines left Odda.', 'entity': [{'entity': 'Ines', 'entity_type': 'person'}]}],
    'RE': [{'text': 'Ines founded Halden.',
            'relation': [{'head': 'Halden', 'relation': 'founder', 'tail': 'Ines'}]}],
    'KG': [{'text': 'Ines of Odda.', 'relation': [BORN]}],
    'EE': [{'text': 'Ines bought it.', 'event': [BOUGHT]}]}
RECORDS['EET'] = RECORDS['EEA'] = RECORDS['EE']
