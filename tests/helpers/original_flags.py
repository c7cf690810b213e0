"The flags of the original's training and prediction scripts, without dashes."
ORIGINAL = (
    'model_name_or_path model_name checkpoint_dir bits double_quant quant_type use_fast_tokenizer '
    'split_special_tokens cache_dir model_revision adam8bit train_file valid_file predict_file template '
    'cutoff_len max_source_length max_target_length val_set_size preprocessing_num_workers cache_path '
    'train_on_prompt ignore_pad_token_for_loss overwrite_cache pad_to_max_length language id_text '
    'group_by_length remove_unused_columns report_to logging_steps gradient_checkpointing finetuning_type '
    'stage lora_r lora_alpha lora_dropout lora_target_modules additional_target resume_lora_training '
    'upcast_layernorm neft_alpha num_layer_trainable name_module_trainable max_new_tokens num_beams '
    'temperature top_k top_p input_file output_file mode gen_mode batch_size swap_space '
    'gpu_memory_utilization').split()
